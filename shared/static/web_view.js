// In an app's web view: goes on by itself where a camera can be asked for; else helps the link into a browser.
const root = document.querySelector("[data-web-view]");
const copying = root.querySelector("[data-copying]");
const button = root.querySelector("[data-copy]");

if (navigator.mediaDevices?.getUserMedia) {
  location.replace(root.dataset.webView);
} else if (navigator.clipboard?.writeText) {
  copying.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    root.querySelector("[data-said]").textContent = button.dataset.copied;
  });
}
