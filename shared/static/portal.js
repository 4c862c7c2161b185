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
