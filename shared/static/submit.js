// Sends the one form of a hand-over page by itself; without script its button does the same.
document.querySelector("form[data-submit]")?.submit();
