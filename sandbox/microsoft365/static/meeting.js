// One page, four rooms: before, lobby, stage, after. The server says which; the page asks it every second.

const ROOMS = { before: "before", lobby: "lobby", in: "stage", out: "after" };
const EVERY = 1000;

let seat = null;
let timer = null;

const byId = (id) => document.getElementById(id);

async function ask(what, extra = {}) {
  const answer = await fetch(`/teams/api/${what}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ ...seat, ...extra }),
  });
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.error);
  return said;
}

function tell(text) {
  byId("notice").textContent = text ?? "";
  byId("notice").hidden = !text;
}

function show(state) {
  for (const [name, room] of Object.entries(ROOMS)) byId(room).hidden = name !== state;
}

function element(kind, className, text) {
  const made = document.createElement(kind);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

function tile(person) {
  const made = element("li", `tile ${person.role === "Guest" ? "guest" : "staff"}${person.you ? " you" : ""}`);
  made.append(element("span", "portrait", person.initials));
  const plate = element("span", "plate", person.you ? `${person.name} (you) ` : `${person.name} `);
  plate.append(element("small", "", person.role));
  made.append(plate);
  return made;
}

function waiter(person) {
  const made = element("li");
  const button = element("button", "primary", "Admit");
  button.setAttribute("aria-label", `Admit ${person.name}`);
  button.addEventListener("click", () => act("admit", { who: person.participant }));
  made.append(element("span", "", person.name), button);
  return made;
}

// Lists are only rebuilt when they changed, so that a button under the pointer or the focus stays what it is.
function fill(list, people, make) {
  const seen = JSON.stringify(people);
  if (list.dataset.seen === seen) return;
  list.dataset.seen = seen;
  list.replaceChildren(...people.map(make));
}

function render(said) {
  show(said.state);
  if (said.state === "in") {
    fill(byId("tiles"), said.people, tile);
    fill(byId("waiting").querySelector("ul"), said.waiting, waiter);
    byId("waiting").hidden = said.waiting.length === 0;
    byId("end").hidden = !said.mayEnd;
  }
  if (said.state === "out") {
    clearInterval(timer);
    seat = null;
  }
}

async function act(what, extra) {
  try {
    if (what !== "state") tell("");
    render(await ask(what, extra));
  } catch (problem) {
    tell(problem.message);
  }
}

async function join(event) {
  event.preventDefault();
  const { url, anonymous } = document.body.dataset;
  try {
    tell("");
    const name = byId("name")?.value ?? "";
    const said = await ask("join", { url, name, anonymous: anonymous === "yes" });
    seat = { participant: said.participant, key: said.key };
    timer = setInterval(() => seat && act("state"), EVERY);
    await act("state");
  } catch (problem) {
    tell(problem.message);
  }
}

byId("join")?.addEventListener("submit", join);
byId("end").addEventListener("click", () => act("end"));
byId("again").addEventListener("click", () => location.reload());
for (const button of document.querySelectorAll("[data-leave]")) {
  button.addEventListener("click", () => act("leave"));
}
// Closing the tab is leaving.
addEventListener("pagehide", () => {
  if (seat === null) return;
  navigator.sendBeacon("/teams/api/leave", new Blob([JSON.stringify(seat)], { type: "application/json" }));
});
