// Shows only what belongs to the way of writing back that is chosen; without script all of it is in sight.

const choice = document.getElementById("adapter");

function show() {
  for (const part of document.querySelectorAll("[data-adapters]")) {
    const ours = part.dataset.adapters.split(" ").includes(choice.value);
    // What has to be looked at stays, whatever is chosen.
    part.hidden = !ours && !part.querySelector(".wrong, .meanwhile");
  }
}

choice.addEventListener("change", show);
// Back and forward bring an earlier choice along.
window.addEventListener("pageshow", show);
show();
