// Keeps connection marks and appointment statuses of the schedule current: asks every two seconds while the page is visible.
const live = document.getElementById("live");
const address = `/schedule/marks?as=${encodeURIComponent(live.dataset.as)}`;

function markItem(mark) {
  const item = document.createElement("li");
  item.className = mark.presence;
  item.dataset.person = mark.login;
  const name = document.createElement("span");
  name.textContent = mark.name;
  const text = document.createElement("small");
  text.textContent = mark.text;
  item.append(name, text);
  return item;
}

function showStatus(one) {
  const box = document.querySelector(`[data-appointment="${one.appointment}"]`);
  if (!box) return;
  const now = box.querySelector(".now");
  if (now.dataset.status !== one.status) box.querySelector("select").value = one.status;
  now.textContent = one.name;
  now.dataset.status = one.status;
  const items = one.steps.map((step) => {
    const item = document.createElement("li");
    item.textContent = step;
    return item;
  });
  box.querySelector(".steps").replaceChildren(...items);
}

async function refresh() {
  const answer = await fetch(address, { cache: "no-store" });
  if (!answer.ok) throw new Error(String(answer.status));
  const { at, visits, devices, statuses } = await answer.json();
  for (const row of document.querySelectorAll("tr[data-visit]")) {
    const items = (visits[row.dataset.visit] ?? []).map(markItem);
    row.querySelector(".marks")?.replaceChildren(...items);
    row.querySelector("[data-device]").textContent = devices[row.dataset.visit] ?? "";
  }
  Object.values(statuses).flat().forEach(showStatus);
  live.textContent = `Live, updated ${at}`;
  live.classList.remove("stale");
}

async function tick() {
  if (!document.hidden) {
    await refresh().catch(() => {
      live.textContent = "Not up to date";
      live.classList.add("stale");
    });
  }
  setTimeout(tick, 2000);
}

tick();
