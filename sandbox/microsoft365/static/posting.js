// The sign-in's answer goes back to the app at once; the button is there for browsers without scripts.
document.getElementById("posting").submit();
