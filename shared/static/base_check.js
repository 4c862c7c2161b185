// The FHIR base, looked at while it is being typed in; the form checks it again when it is sent.

const PAUSE = 600; // ms without a key before the address is looked at

const base = document.querySelector("[data-base-check]");
const place = document.querySelector("[data-base-verdict]");
const chosen = (name, otherwise) => document.querySelector(`input[name=${name}]:checked`)?.value ?? otherwise;

function line(text, kind) {
  const made = document.createElement("p");
  made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

let round = 0;
let looked = "";
async function look() {
  const mine = ++round;
  looked = base.value;
  if (!base.value.trim()) { place.replaceChildren(); return; }
  place.replaceChildren(line(place.dataset.looking, "busy"));
  const asked = { fhir_base: base.value, kind: chosen("kind", "fhir"), environment: chosen("environment", "test") };
  let report;
  try {
    const answer = await fetch(base.dataset.baseCheck, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(asked),
    });
    report = await answer.json();
    if (!answer.ok) report = { findings: [{ text: report.title, verdict: "failed" }] };
  } catch {
    report = { findings: [{ text: place.dataset.lost, verdict: "warning" }] };
  }
  if (mine !== round) return; // somebody typed on meanwhile
  const lines = report.findings.map((finding) => line(finding.text, finding.verdict));
  if (report.suggestion) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button small";
    button.textContent = `${place.dataset.use} ${report.suggestion}`;
    button.addEventListener("click", () => { base.value = report.suggestion; base.focus(); look(); });
    lines.push(button);
  }
  place.replaceChildren(...lines);
}

let timer = 0;
base.addEventListener("input", () => { round += 1; clearTimeout(timer); timer = setTimeout(look, PAUSE); });
base.addEventListener("change", () => {
  clearTimeout(timer);
  // Not at once: whoever leaves the field is pressing something, and nothing may move away under the finger.
  if (base.value !== looked) timer = setTimeout(look, PAUSE);
});
for (const choice of document.querySelectorAll("input[name=kind], input[name=environment]")) {
  choice.addEventListener("change", () => {
    for (const example of document.querySelectorAll("[data-example]")) {
      example.hidden = example.dataset.example !== chosen("kind", "fhir");
    }
    look();
  });
}
