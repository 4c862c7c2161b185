// Small comforts of the portal's pages; everything works without them.

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  const label = button.textContent;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "\u2713";
    setTimeout(() => { button.textContent = label; }, 1500);
  });
}

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}

// On a narrow screen the row of tabs scrolls: the one that is open should be seen.
const tab = document.querySelector(".tabs [aria-current]");
if (tab) tab.parentElement.scrollLeft = tab.offsetLeft - tab.parentElement.offsetLeft - 16;

document.querySelector("[data-focus]")?.focus();

// A second click on the same button must not send the form twice.
for (const form of document.querySelectorAll("form[data-guard]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "yes";
    window.addEventListener("pageshow", () => { delete form.dataset.sent; }, { once: true });
  });
}

async function ask(url, body) {
  const answer = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  return { ok: answer.ok, document: await answer.json() };
}

function line(text, kind) {
  const made = document.createElement("p");
  made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

// The FHIR base, looked at while it is being typed in.
const base = document.querySelector("[data-base-check]");
if (base) {
  const place = document.querySelector("[data-base-verdict]");
  let round = 0;
  const look = async () => {
    const mine = ++round;
    if (!base.value.trim()) { place.replaceChildren(); return; }
    place.replaceChildren(Object.assign(line("\u2026"), { className: "busy" }));
    const kind = document.querySelector("input[name=kind]:checked")?.value ?? "fhir";
    const { ok, document: report } = await ask(base.dataset.baseCheck, { fhir_base: base.value, kind });
    if (mine !== round) return;
    if (!ok) { place.replaceChildren(line(report.title, "failed")); return; }
    const lines = report.findings.map((finding) => line(finding.text, finding.verdict));
    if (report.suggestion) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "button small";
      button.textContent = `\u2192 ${report.suggestion}`;
      button.addEventListener("click", () => { base.value = report.suggestion; look(); });
      lines.push(button);
    }
    place.replaceChildren(...lines);
  };
  base.addEventListener("change", look);
}

// Checks side by side, each shown as it ends.
const list = document.querySelector("[data-words]");
if (list) {
  const words = JSON.parse(list.dataset.words);
  const run = async (row) => {
    const badge = row.querySelector("[data-verdict]");
    const said = row.querySelector("[data-said]");
    badge.replaceChildren(Object.assign(document.createElement("span"), { className: "busy" }));
    const { ok, document: verdict } = await ask(row.dataset.check, row.dataset.person ? { person: row.dataset.person } : {});
    const mark = document.createElement("span");
    mark.className = `badge ${ok ? verdict.verdict : "failed"}`;
    mark.textContent = ok ? words[verdict.verdict] : verdict.title;
    badge.replaceChildren(mark);
    if (!ok) { said.replaceChildren(line(verdict.detail)); return; }
    const lines = [line(verdict.tried, "quiet"), line(verdict.found)];
    if (verdict.remedy) lines.push(line(verdict.remedy));
    if (verdict.commands.length) {
      lines.push(Object.assign(document.createElement("pre"), { textContent: verdict.commands.join("\n") }));
    }
    said.replaceChildren(...lines);
  };
  const rows = [...list.querySelectorAll("[data-check]")];
  for (const row of rows) {
    row.querySelector("form").addEventListener("submit", (event) => { event.preventDefault(); run(row); });
  }
  const all = document.querySelector("[data-check-all]");
  if (all) {
    all.hidden = false;
    all.addEventListener("click", () => rows.forEach(run));
  }
}
