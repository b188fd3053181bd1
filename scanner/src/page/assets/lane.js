// The lane screen: listens to one lane and shows what it says. It decides nothing and keeps nothing.
"use strict";

const lane = new URLSearchParams(location.search).get("lane") || "";
const wanted = new URLSearchParams(location.search).get("lang");
const element = (id) => document.getElementById(id);
let strings = {};
let languages = ["zh-CN", "en"];

// A word in the first and the second language of the lane; a missing one shows its key, so that it gets noticed.
const say = (key) => languages.map((language) => (strings[language] || {})[key] ?? (language === languages[0] ? key : ""));
const put = (id, key) => {
  const [first, second] = key ? say(key) : ["", ""];
  element(id).textContent = first;
  const other = element(id + "2");
  if (other) other.textContent = second === first ? "" : (second || "");
};

// Contour tells the verdict to those who cannot see the screen: up is admitted, level-and-back is referred, down is refused.
const TUNES = {
  read: [[1320, 0.05]],
  admit: [[784, 0.09], [1175, 0.16]],
  refer: [[660, 0.12], [0, 0.06], [660, 0.12], [0, 0.06], [660, 0.12]],
  refuse: [[440, 0.16], [277, 0.34]],
  attention: [[880, 0.1], [0, 0.1], [880, 0.1]],
};
let audio = null;
window.played = [];
const hearing = () => {
  if (!audio && window.AudioContext) audio = new AudioContext();
  if (audio && audio.state === "suspended") audio.resume();
  element("sound").hidden = !audio || audio.state === "running";
};
const play = (name) => {
  const tune = TUNES[name];
  if (!tune) return;
  window.played.push(name);
  if (window.played.length > 32) window.played.shift();
  if (!audio) return;
  let at = audio.currentTime;
  for (const [hertz, seconds] of tune) {
    if (hertz) {
      const tone = audio.createOscillator(), loudness = audio.createGain();
      tone.type = "triangle";
      tone.frequency.value = hertz;
      loudness.gain.setValueAtTime(0.9, at);
      loudness.gain.setTargetAtTime(0, at + seconds * 0.8, 0.02);
      tone.connect(loudness).connect(audio.destination);
      tone.start(at);
      tone.stop(at + seconds + 0.1);
    }
    at += seconds;
  }
};

const show = (state) => {
  document.body.dataset.state = state.kind === "verdict" ? state.verdict : state.kind;
  document.body.dataset.reason = state.reason || "";
  document.documentElement.lang = languages[0];
  if (state.kind === "verdict") {
    put("word", `verdict.${state.verdict}`);
    put("next", `next.${state.reason}`);
    put("why", `why.${state.reason}`);
    // Notice number and dates of a suspension are facts of the list, not of the person.
    element("notice").textContent = state.notice || "";
    play(state.verdict);
  } else {
    const key = state.kind === "hint" ? `hint.${state.hint}` : `state.${state.kind}`;
    put("word", key);
    put("next", state.kind === "idle" ? "state.idle.next" : state.kind === "attention" ? `attention.${state.hint}` :
      state.kind === "configured" ? `configured.${state.outcome}` : "");
    put("why", "");
    element("notice").textContent = "";
    if (state.kind === "reading") play("read");
    if (state.kind === "attention" || state.kind === "configured") play("attention");
  }
};

const band = (faults) => {
  const footer = element("band");
  footer.replaceChildren(...faults.map((fault) => {
    const line = document.createElement("div"), name = document.createElement("b");
    name.textContent = say(`fault.${fault.code}`)[0];
    line.append(name, [fault.detail, say(`fault.${fault.code}.do`)[0]].filter(Boolean).join(" — "));
    return line;
  }));
  footer.hidden = faults.length === 0;
};

const preview = ({ width, height, luma, outline, hint }) => {
  const canvas = element("preview");
  canvas.width = width;
  canvas.height = height;
  const picture = canvas.getContext("2d").createImageData(width, height);
  const bytes = Uint8Array.from(atob(luma), (character) => character.charCodeAt(0));
  bytes.forEach((grey, index) => {
    picture.data.fill(grey, index * 4, index * 4 + 3);
    picture.data[index * 4 + 3] = 255;
  });
  canvas.getContext("2d").putImageData(picture, 0, 0);
  element("outline").firstElementChild.setAttribute("points", (outline || []).map((corner) => corner.join(",")).join(" "));
  if (document.body.dataset.state === "idle") put("next", hint ? `hint.${hint}` : "state.idle.next");
};

// Two seconds, whatever the daemon says or does not say any more.
let nameGoes = 0;
const name = (text) => {
  clearTimeout(nameGoes);
  element("name").textContent = text || "";
  if (text) nameGoes = setTimeout(name, 2000, null);
};

const listen = () => {
  const source = new EventSource("/events" + (lane ? `?lane=${encodeURIComponent(lane)}` : ""));
  source.addEventListener("hello", (event) => {
    const hello = JSON.parse(event.data);
    languages = wanted ? [wanted, ...hello.languages.filter((language) => language !== wanted)] : hello.languages;
    element("place").textContent = hello.place;
    element("sound").textContent = say("sound.enable")[0];
    hearing();
    // A page left open while the daemon was replaced shows the new build's page.
    if (window.build && window.build !== hello.build) location.reload();
    window.build = hello.build;
  });
  source.addEventListener("state", (event) => show(JSON.parse(event.data)));
  source.addEventListener("band", (event) => band(JSON.parse(event.data)));
  source.addEventListener("name", (event) => name(JSON.parse(event.data)));
  source.addEventListener("preview", (event) => preview(JSON.parse(event.data)));
  source.onerror = () => {
    source.close();
    name(null);
    show({ kind: "connecting" });
    setTimeout(listen, 1000);
  };
};

element("sound").addEventListener("click", hearing);
document.addEventListener("keydown", hearing);
fetch("/strings.json").then((answer) => answer.json()).then((all) => {
  strings = all;
  show({ kind: "connecting" });
  listen();
});
