// The checks of a connection: run side by side, each shown as it ends. Without script every row has its own button.

const AT_ONCE = 6;
const OUTCOMES = ["ok", "warning", "failed", "skipped"];

const place = document.querySelector("[data-checks]");
const words = JSON.parse(place.dataset.words);
const speech = JSON.parse(place.dataset.speech);
const sum = place.querySelector("[data-sum]");
const all = document.querySelector("[data-check-all]");

function made(tag, text, kind) {
  const element = document.createElement(tag);
  if (text) element.textContent = text;
  if (kind) element.className = kind;
  return element;
}

function copying(text) {
  const button = made("button", speech.copy, "button small");
  button.type = "button";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text);
    button.textContent = `${speech.copy} \u2713`;
  });
  const line = made("p");
  line.append(button);
  return line;
}

// The verdict; what keeps us from one is shown in its place.
async function asked(row) {
  const person = row.dataset.person;
  try {
    const answer = await fetch(row.dataset.check, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(person ? { person } : {}),
    });
    if (answer.status === 401) return { verdict: "skipped", tried: "", found: speech.over, remedy: "", commands: [] };
    const document = await answer.json();
    return answer.ok ? document : { verdict: "failed", tried: "", found: document.detail, remedy: "", commands: [] };
  } catch {
    return { verdict: "failed", tried: "", found: speech.silent, remedy: "", commands: [] };
  }
}

function remedy(text) {
  const line = made("p");
  line.append(made("strong", speech.remedy), ` ${text}`);
  return line;
}

function leading(path) {
  const link = made("a", speech.link);
  link.href = path;
  const line = made("p");
  line.append(link);
  return line;
}

function show(row, verdict) {
  row.dataset.outcome = verdict.verdict;
  row.querySelector("[data-verdict]").replaceChildren(made("span", words[verdict.verdict], `badge ${verdict.verdict}`));
  const lines = [made("p", verdict.found)];
  if (verdict.tried) lines.unshift(made("p", verdict.tried, "quiet"));
  if (verdict.remedy) lines.push(remedy(verdict.remedy));
  if (verdict.commands.length) {
    const text = verdict.commands.join("\n");
    lines.push(made("pre", text), copying(text));
  }
  if (verdict.link) lines.push(leading(verdict.link));
  row.querySelector("[data-said]").replaceChildren(...lines);
}

async function run(row) {
  delete row.dataset.outcome;
  row.setAttribute("aria-busy", "true");
  row.querySelector("[data-verdict]").replaceChildren(made("span", "", "busy"));
  show(row, await asked(row));
  row.removeAttribute("aria-busy");
}

function summary(rows) {
  const counted = OUTCOMES.map((outcome) => [outcome, rows.filter((row) => row.dataset.outcome === outcome).length]);
  return counted.filter(([, number]) => number).map(([outcome, number]) => `${words[outcome]}: ${number}`).join(" \u00b7 ");
}

async function runAll() {
  if (all.getAttribute("aria-disabled")) return;
  all.setAttribute("aria-disabled", "true");
  sum.textContent = speech.running;
  const waiting = everyRow();
  const worker = async () => { while (waiting.length) await run(waiting.shift()); };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  all.removeAttribute("aria-disabled");
  sum.textContent = summary(everyRow());
}

// A few rows, whose verdicts are said together.
async function runSome(rows) {
  await Promise.all(rows.map(run));
  sum.textContent = rows.map((row) => `${row.querySelector("h3").textContent}: ${words[row.dataset.outcome]}`).join(" \u00b7 ");
}

function everyRow() {
  return [...place.querySelectorAll("li[data-check]")];
}

place.addEventListener("submit", (event) => {
  const row = event.target.closest("li[data-check]");
  if (!row) return;
  event.preventDefault();
  if (!row.hasAttribute("aria-busy")) runSome([row]);
});
all.hidden = false;
all.addEventListener("click", runAll);
runAll();

// One clinician: found while typing, then given rows of their own.
const form = place.querySelector("[data-find]");
if (form) {
  const field = form.querySelector("input");
  const foundSum = form.querySelector("[data-found-sum]");
  const list = form.querySelector("[data-found]");
  const named = place.querySelector("[data-rows-of-named]");
  const template = place.querySelector("[data-rows-of-anybody]");
  let round = 0;
  let timer = 0;

  const rowsOf = (person, name) => {
    const known = everyRow().filter((row) => row.dataset.person === person);
    if (known.length) return known;
    const rows = [...template.content.cloneNode(true).querySelectorAll("li")];
    for (const row of rows) {
      row.dataset.person = person;
      row.querySelector("[data-name]").textContent = name;
      row.querySelector("input[name=person]").value = person;
      const button = row.querySelector("button");
      button.setAttribute("aria-label", button.getAttribute("aria-label").replace("\u2026", () => name));
    }
    named.append(...rows);
    return rows;
  };

  const choice = (somebody) => {
    const item = made("li");
    const button = made("button", somebody.name, "button small");
    button.type = "button";
    button.addEventListener("click", () => runSome(rowsOf(somebody.oid, somebody.name)));
    item.append(button, " ", made("span", somebody.username, "quiet"));
    return item;
  };

  const look = async () => {
    const mine = ++round;
    const text = field.value.trim();
    if (text.length < 2) { list.replaceChildren(); foundSum.textContent = ""; return; }
    let people = null;
    try {
      const answer = await fetch(`${form.dataset.find}?q=${encodeURIComponent(text)}`);
      if (answer.ok) people = (await answer.json()).people;
    } catch { /* Said below. */ }
    if (mine !== round) return;
    list.replaceChildren(...(people ?? []).map(choice));
    foundSum.textContent = people === null ? speech.directory : people.length ? `${speech.found}: ${people.length}` : speech.nobody;
  };
  field.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(look, 250); });
  form.addEventListener("submit", (event) => { event.preventDefault(); clearTimeout(timer); look(); });
}
