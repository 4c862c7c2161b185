// The device test: every result stays in this page. Camera and microphone are switched off when the page is left.
const root = document.querySelector("[data-device-test]");
const words = root.dataset;
const find = (name) => root.querySelector(`[data-${name}]`);
const running = [];

function tell(part, state, more = "") {
  const place = root.querySelector(`[data-result="${part}"]`);
  place.dataset.state = state;
  place.textContent = more ? `${words[state]}. ${more}` : words[state];
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
    if (!navigator.mediaDevices) throw new Error("no media devices");
    await canCall();
    tell("browser", "good");
    return true;
  } catch {
    tell("browser", "bad", words.unsupported);
    return false;
  }
}

async function camera() {
  tell("camera", "testing");
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ video: true });
    running.push(stream);
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

async function microphone() {
  tell("microphone", "testing", words.quiet);
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    running.push(stream);
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    context.createMediaStreamSource(stream).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    let heard = false;
    const timer = setInterval(() => {
      const level = Math.min(1, loudness(analyser, samples) * 6);
      find("level").value = level;
      if (level > 0.05 && !heard) {
        heard = true;
        tell("microphone", "good");
      }
    }, 100);
    addEventListener("pagehide", () => clearInterval(timer), { once: true });
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

async function service() {
  tell("service", "testing");
  try {
    const times = [];
    for (let round = 0; round < 5; round += 1) {
      const begun = performance.now();
      const answer = await fetch(words.service, { cache: "no-store" });
      if (!answer.ok) throw new Error(String(answer.status));
      times.push(performance.now() - begun);
    }
    times.sort((one, other) => one - other);
    tell("service", "good", `${Math.round(times[2])} ${words.milliseconds}`);
  } catch {
    tell("service", "bad", words.unreachable);
  }
}

find("start").addEventListener("click", async () => {
  find("start").disabled = true;
  find("results").hidden = false;
  const checks = [service()];
  if (await browser()) checks.push(camera().then(microphone));
  await Promise.all(checks);
  find("start").disabled = false;
});
find("tone").addEventListener("click", tone);
root.addEventListener("click", (event) => {
  const answer = event.target.dataset.answer;
  if (answer) tell("speaker", answer);
});
addEventListener("pagehide", () => {
  for (const stream of running) for (const track of stream.getTracks()) track.stop();
});
