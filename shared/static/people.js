// People of the directory, found while a name is being typed; without script the Search button does the same.

const PAUSE = 250; // ms without a key before the directory is asked
const LEAST = 2;

for (const picker of document.querySelectorAll("[data-people]")) {
  const input = picker.querySelector("input[type=search]");
  const status = picker.querySelector("[data-status]");
  const tiles = picker.querySelector("[data-tiles]");
  const none = picker.querySelector("[data-none]");
  const words = picker.dataset;
  let round = 0;
  let timer = 0;

  const tile = (person) => {
    const label = document.createElement("label");
    label.className = "choice";
    label.dataset.found = "";
    const box = document.createElement("input");
    Object.assign(box, { type: words.kind, name: words.people, value: person.oid });
    const text = document.createElement("span");
    text.textContent = person.name;
    const small = document.createElement("small");
    small.textContent = person.username || person.oid;
    text.append(small);
    label.append(box, text);
    return label;
  };

  const show = (people) => {
    // Whoever is chosen stays; only what was found and not taken goes.
    for (const old of tiles.querySelectorAll("label")) {
      if (!old.querySelector("input").checked) old.remove();
    }
    const there = new Set([...tiles.querySelectorAll("input")].map((box) => box.value));
    tiles.append(...people.filter((person) => !there.has(person.oid)).map(tile));
    if (none) none.hidden = tiles.childElementCount > 0;
  };

  const find = async () => {
    const mine = ++round;
    const text = input.value.trim();
    if (text.length < LEAST) { status.textContent = ""; show([]); return; }
    let people;
    let over = false;
    try {
      const answer = await fetch(`/config/api/people?q=${encodeURIComponent(text)}`);
      over = answer.status === 401;
      people = answer.ok ? (await answer.json()).people : null;
    } catch {
      people = null;
    }
    if (mine !== round) return;
    if (people === null) { status.textContent = over ? words.over : words.silent; return; }
    show(people);
    status.textContent = people.length ? words.some.replace("0", people.length) : words.nobody;
  };

  input.addEventListener("input", () => { round += 1; clearTimeout(timer); timer = setTimeout(find, PAUSE); });
  input.addEventListener("keydown", (event) => {
    // Enter searches here instead of sending the whole form.
    if (event.key === "Enter") { event.preventDefault(); clearTimeout(timer); find(); }
  });
}
