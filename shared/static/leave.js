// The way out of a page that is no visit: the EHR or the portal opened it as a window of its own and stands behind.
const place = document.querySelector("[data-leave]");
const WAIT = 400;

place.hidden = false;
place.querySelector("[data-close]").addEventListener("click", () => {
  window.close();
  // Still here: the browser closes only what a page opened.
  setTimeout(() => {
    place.querySelector("[data-stays]").hidden = false;
  }, WAIT);
});
