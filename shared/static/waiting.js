// Counts down to the moment a visit's door opens and asks the server again then; the server decides.
const root = document.querySelector("[data-waiting]");
const time = root.querySelector("[data-local]");
const left = root.querySelector("[data-left]");
const begun = Date.now();
const language = document.documentElement.lang;

function local(moment) {
  const clock = { hour: "numeric", minute: "2-digit" };
  const today = moment.toDateString() === new Date().toDateString();
  return moment.toLocaleString(language, today ? clock : { ...clock, weekday: "long", day: "numeric", month: "long" });
}

function tick() {
  // By the clock, not by counting: a telephone that slept must not be late.
  const rest = Math.max(0, Math.ceil(Number(root.dataset.waiting) - (Date.now() - begun) / 1000));
  left.textContent = `${Math.floor(rest / 60)}:${String(rest % 60).padStart(2, "0")}`;
  if (rest > 0) return setTimeout(tick, 1000 - ((Date.now() - begun) % 1000));
  const status = root.querySelector("[data-opening]");
  status.textContent = status.dataset.opening;
  return location.reload();
}

time.textContent = local(new Date(time.dateTime));
if (root.dataset.waiting) {
  left.hidden = false;
  tick();
}
// Back from Teams to a kept page: the count may be long over.
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
