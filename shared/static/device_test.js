// The device test: sound and picture stay in this page, and devices are off when it is left. What is passed on,
// where the portal led here, is one word: at once when all works, else when the page is left, so that a fault
// that was mended meanwhile is not what the clinic hears of.
const root = document.querySelector("[data-device-test]");
const words = root.dataset;
const find = (name) => root.querySelector(`[data-${name}]`);
const PARTS = ["browser", "camera", "microphone", "speaker", "connection"];
const LISTENING = 15000;
const SLOW = 800;
const running = [];
let found = {};
let passedOn = !words.report;

function tell(part, state, more = "") {
  const place = root.querySelector(`[data-result="${part}"]`);
  place.dataset.state = state;
  place.textContent = more ? `${words[state]}. ${more}` : words[state];
  if (state === "testing") return;
  found[part] = state;
  if (PARTS.every((one) => found[one])) conclude();
}

function result() {
  const faults = PARTS.filter((part) => found[part] === "bad");
  if (faults.length > 1) return "several";
  return faults[0] ?? "works";
}

function body() {
  return new URLSearchParams({ ticket: words.ticket, result: result() });
}

function conclude() {
  const works = result() === "works";
  const place = find("summary");
  place.hidden = false;
  place.className = `message ${works ? "good" : "warn"}`;
  place.textContent = works ? words.ready : words.faulty;
  find("start").classList.toggle("primary", !works);
  place.scrollIntoView({ block: "center" });
  if (works) report(place);
}

async function report(place) {
  let more = words.done;
  if (!passedOn) {
    passedOn = true;
    more = (await sent()) || (await sent()) ? words.told : words.untold;
  }
  place.textContent = `${words.ready} ${more}`;
}

async function sent() {
  try {
    const answer = await fetch(words.report, { method: "POST", body: body() });
    return answer.ok && (await answer.json()).told;
  } catch {
    return false;
  }
}

function why(error) {
  if (error.name === "NotAllowedError" || error.name === "SecurityError") return words.denied;
  if (error.name === "NotFoundError" || error.name === "OverconstrainedError") return words.absent;
  return words.busy;
}

async function canCall() {
  // Two ends in one page agree on a call: what a meeting needs, without any network.
  const [one, other] = [new RTCPeerConnection(), new RTCPeerConnection()];
  try {
    one.createDataChannel("test");
    const offer = await one.createOffer();
    await one.setLocalDescription(offer);
    await other.setRemoteDescription(offer);
    await other.setLocalDescription(await other.createAnswer());
  } finally {
    one.close();
    other.close();
  }
}

async function browser() {
  try {
    if (!navigator.mediaDevices?.getUserMedia) throw new Error("no media devices");
    await canCall();
    tell("browser", "good");
    return true;
  } catch {
    for (const part of ["browser", "camera", "microphone"]) tell(part, "bad", words.unsupported);
    return false;
  }
}

async function devices() {
  // One question for both; each by itself where that fails, to say which it is.
  const both = await navigator.mediaDevices.getUserMedia({ video: true, audio: true }).catch(() => null);
  const open = async (kind) => both ?? (await navigator.mediaDevices.getUserMedia({ [kind]: true }));
  await camera(open);
  await microphone(open);
}

async function camera(open) {
  tell("camera", "testing");
  try {
    const stream = await open("video");
    running.push(() => stream.getTracks().forEach((track) => track.stop()));
    find("preview").hidden = false;
    find("preview").srcObject = stream;
    await find("preview").play();
    tell("camera", "good");
  } catch (error) {
    tell("camera", "bad", why(error));
  }
}

function loudness(analyser, samples) {
  analyser.getFloatTimeDomainData(samples);
  return Math.sqrt(samples.reduce((sum, value) => sum + value * value, 0) / samples.length);
}

async function microphone(open) {
  tell("microphone", "testing", words.quiet);
  try {
    const stream = await open("audio");
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    context.createMediaStreamSource(stream).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    const begun = performance.now();
    const timer = setInterval(() => {
      const level = Math.min(1, loudness(analyser, samples) * 6);
      find("level").value = level;
      if (level > 0.05 && found.microphone !== "good") tell("microphone", "good");
      if (!found.microphone && performance.now() - begun > LISTENING) tell("microphone", "bad", words.silent);
    }, 100);
    running.push(() => {
      clearInterval(timer);
      context.close();
      stream.getTracks().forEach((track) => track.stop());
    });
  } catch (error) {
    tell("microphone", "bad", why(error));
  }
}

function tone() {
  const context = new AudioContext();
  const oscillator = context.createOscillator();
  const volume = context.createGain();
  volume.gain.value = 0.2;
  oscillator.frequency.value = 440;
  oscillator.connect(volume).connect(context.destination);
  oscillator.start();
  oscillator.stop(context.currentTime + 1);
  oscillator.addEventListener("ended", () => context.close());
  find("heard").hidden = false;
}

async function connection() {
  tell("connection", "testing");
  try {
    const times = [];
    for (let round = 0; round < 5; round += 1) {
      const begun = performance.now();
      const answer = await fetch(words.service, { cache: "no-store" });
      if (!answer.ok) throw new Error(String(answer.status));
      times.push(performance.now() - begun);
    }
    times.sort((one, other) => one - other);
    const slow = times[2] > SLOW ? ` ${words.slow}` : "";
    tell("connection", "good", `${Math.round(times[2])} ${words.milliseconds}.${slow}`);
  } catch {
    tell("connection", "bad", words.unreachable);
  }
}

function release() {
  find("preview").hidden = true;
  while (running.length) running.pop()();
}

find("start").addEventListener("click", async () => {
  release();
  // Whether the speaker was heard does not change with a second check.
  found = found.speaker === "good" ? { speaker: "good" } : {};
  find("summary").hidden = true;
  find("start").disabled = true;
  find("results").hidden = false;
  const checks = [connection()];
  if (await browser()) checks.push(devices());
  await Promise.all(checks);
  find("start").disabled = false;
  find("start").textContent = words.again;
});
find("tone").addEventListener("click", tone);
root.addEventListener("click", (event) => {
  const answer = event.target.dataset.answer;
  if (answer) tell("speaker", answer);
});
addEventListener("online", () => {
  if (found.connection === "bad") connection();
});
addEventListener("pagehide", () => {
  release();
  if (passedOn || !PARTS.every((part) => found[part])) return;
  passedOn = true;
  navigator.sendBeacon(words.report, body());
});
