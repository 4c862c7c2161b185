// Small comforts of the portal's pages; everything works without them.

const status = document.querySelector("[data-copy-status]");
let said;
function say(text) {
  status.textContent = text;
  clearTimeout(said);
  said = setTimeout(() => { status.textContent = ""; }, 4000);
}

// Where the clipboard is not available (no permission, no https), the text is selected instead.
for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      say(status.dataset.copied);
    } catch {
      getSelection().selectAllChildren(button.previousElementSibling);
      say(status.dataset.selected);
    }
  });
}

// On paper nothing can be unfolded.
let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open])")];
  for (const one of folded) one.open = true;
});
addEventListener("afterprint", () => { for (const one of folded) one.open = false; });

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}

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
