// The live view: asks for the state every three seconds and shows it as text. Nothing is kept in the browser.
const root = document.querySelector("[data-visit-view]");
const list = root.querySelector("[data-people]");
const notice = root.querySelector("[data-notice]");
const result = root.querySelector("[data-result]");
const words = root.dataset;
const OUTCOMES = {
  "took-place": words.tookPlace,
  "patient-no-show": words.patientNoShow,
  "provider-no-show": words.providerNoShow,
  unknown: words.unknown,
};
const PAUSE = 3000;
let shown = "";

function say(text) {
  notice.hidden = !text;
  if (notice.textContent !== text) notice.textContent = text;
}

function label(person) {
  if (person.role === "staff") return person.name || words.staff;
  return person.role === "patient" ? words.patient : `${words.guest} ${person.number}`;
}

function line(person) {
  const item = document.createElement("li");
  const who = document.createElement("strong");
  who.textContent = label(person);
  const clock = { hour: "2-digit", minute: "2-digit" };
  const since = new Date(person.since).toLocaleTimeString(document.documentElement.lang, clock);
  item.dataset.presence = person.presence;
  item.append(who, ` ${words[person.presence]} ${words.since} ${since}`);
  return item;
}

function write(place, text) {
  const element = result.querySelector(place);
  if (element.textContent !== text) element.textContent = text;
}

function conclude(state) {
  result.hidden = !OUTCOMES[state.outcome];
  if (result.hidden) return;
  write("[data-outcome]", OUTCOMES[state.outcome]);
  const known = state.reported ? words.reported : words.unreported;
  const changes = state.outcome !== "took-place" || !state.reported;
  write("[data-source]", !state.final && changes ? words.awaited : known);
}

function show(state) {
  conclude(state);
  say(state.live === "live-unavailable" ? words.unavailable : "");
  list.hidden = !result.hidden && !state.people.length;
  const text = JSON.stringify(state.people);
  // Unchanged people are left alone, so that a screen reader does not read them every three seconds.
  if (text === shown) return;
  shown = text;
  const nobody = document.createElement("li");
  nobody.textContent = words.nobody;
  list.replaceChildren(...(state.people.length ? state.people.map(line) : [nobody]));
}

function close() {
  say(words.closed);
  list.hidden = result.hidden = true;
}

async function refresh() {
  let pause = PAUSE;
  try {
    const answer = await fetch(words.visitView, { headers: { Accept: "application/json" }, cache: "no-store" });
    // Not ours to see any more: what was seen goes, too.
    if (answer.status >= 400 && answer.status < 429) return close();
    if (!answer.ok) throw new Error(String(answer.status));
    show(await answer.json());
  } catch {
    say(words.lost);
    pause = 3 * PAUSE;
  }
  setTimeout(refresh, document.hidden ? 2 * pause : pause);
}

refresh();
