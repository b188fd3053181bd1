// The lane screen: listens to one lane and shows what it says. It decides nothing and keeps nothing.
"use strict";

const lane = new URLSearchParams(location.search).get("lane") || "";
const wanted = new URLSearchParams(location.search).get("lang");
const element = (id) => document.getElementById(id);
let strings = {};
let languages = ["zh-CN", "en"];
// Where the desk is and what it is called, as the configuration says.
let place = {};
// Lanes that judge while this one does not; whether this one sends everybody to the desk.
let besides = { lanes: [], refers_everybody: false };
let last = { kind: "connecting" };

// A word in the first and the second language of the lane; a missing one shows its key, so that it gets noticed. What stands in
// braces is filled in, in each language: the desk's name, and what the caller gives.
const say = (key, what = "") => languages.map((language) => {
  const words = strings[language] || {};
  const text = words[key] ?? (language === languages[0] ? key : "");
  const desk = (place.desk || {})[language] ?? words["desk.name"] ?? "";
  return text.replaceAll("{desk}", desk).replaceAll("{}", inWords(what, language));
});
// The list names another code in its own language; the national code has a name in each.
const inWords = (what, language) => {
  const national = Object.values(strings).some((words) => words["code.national"] === what);
  return (national && (strings[language] || {})["code.national"]) || what;
};
const put = (id, key, what) => {
  const [first, second] = key ? say(key, what) : ["", ""];
  element(id).textContent = first;
  element(id).lang = languages[0];
  const other = element(id + "2");
  if (other) {
    other.textContent = second === first ? "" : (second || "");
    other.lang = languages[1] || languages[0];
  }
};

// Contour tells the verdict to those who cannot see the screen: up is admitted, level and back is referred, down is refused.
// Hertz and seconds; 0 Hz is a pause.
const TUNES = {
  read: [[1320, 0.05]],
  admit: [[784, 0.09], [1175, 0.16]],
  refer: [[660, 0.12], [0, 0.06], [660, 0.12], [0, 0.06], [660, 0.12]],
  refuse: [[440, 0.16], [277, 0.34]],
  attention: [[880, 0.1], [0, 0.1], [880, 0.1]],
};
let audio = null, signals = { sound: true, read_cue: true, discreet: false };
// What the site recorded, decoded once; what is being said, so that a new verdict falls silent of the old one.
const recordings = new Map();
let saying = [];
const listenTo = async (names) => {
  for (const name of names) {
    if (recordings.has(name) || !audio) continue;
    try {
      const answer = await fetch(`/voice/${name.split("/").map(encodeURIComponent).join("/")}`);
      if (answer.ok) recordings.set(name, await audio.decodeAudioData(await answer.arrayBuffer()));
    } catch { /* A file that is no sound is not played; the words and the tune are there. */ }
  }
};
// The verdict, the side and the number, in each language that was recorded, behind the tune.
const speak = (state, after) => {
  saying.forEach((source) => source.stop());
  saying = [];
  if (!audio || !signals.sound || state.kind !== "verdict") return;
  const side = state.verdict === "admit" ? "" : document.body.dataset.side;
  const what = [state.verdict, side, ...(state.number || "")].filter(Boolean);
  let at = audio.currentTime + after;
  const said = languages.flatMap((language) => (recordings.has(`${language}/${state.verdict}`) ? what.map((name) => `${language}/${name}`) : []))
    .filter((name) => recordings.has(name));
  for (const name of said) {
    const source = audio.createBufferSource();
    source.buffer = recordings.get(name);
    source.connect(audio.destination);
    source.start(at);
    at += source.buffer.duration + 0.08;
    saying.push(source);
  }
  window.spoken = said;
};
// What was sounded, as it was handed to the sound card: for whoever tests the screen.
window.played = [];
const hearing = () => {
  if (!audio && window.AudioContext && signals.sound) audio = new AudioContext();
  if (audio && audio.state === "suspended") audio.resume();
  element("sound").hidden = !audio || audio.state === "running";
  listenTo(signals.voice || []);
};
const play = (name) => {
  const tune = TUNES[name];
  if (!tune || !signals.sound || !audio || (name === "read" && !signals.read_cue)) return 0;
  const begins = audio.currentTime, tones = [];
  let at = begins;
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
      tones.push(tone.frequency.value);
    }
    at += seconds;
  }
  window.played.push({ name, tones, at: performance.now(), running: audio.state === "running" });
  if (window.played.length > 32) window.played.shift();
  return at - begins;
};

// A language, or a band of many lines, may need more room than there is: then the words shrink until all of them are on the screen.
const fit = () => {
  const edges = (what) => document.querySelector(what).getBoundingClientRect();
  for (let share = 1; share > 0.5; share -= 0.04) {
    document.body.style.setProperty("--fit", share);
    const room = edges("main"), words = edges(".words"), wide = document.querySelector(".words");
    const inside = words.top >= room.top && words.bottom <= room.bottom && wide.scrollWidth <= wide.clientWidth;
    if (inside && edges(".mark").height >= room.height / 5) return;
  }
};
window.addEventListener("resize", fit);

// What is about somebody's health is for the officer's card, where the lane is discreet; and a refusal looks and sounds like a referral.
const HEALTH = ["colour-red", "colour-yellow", "risk-area"];
const quietly = (state) => {
  if (!signals.discreet || state.kind !== "verdict") return state;
  const hidden = state.verdict === "refuse" || HEALTH.includes(state.reason);
  return hidden ? { ...state, verdict: "refer", reason: "discreet", notice: null, instead: null } : state;
};
// A lane that can admit nobody does not invite anybody to show a code.
const honestly = (state) => (state.kind === "idle" && besides.refers_everybody ? { kind: "referring" } : state);

const show = (told) => {
  last = told;
  const state = honestly(quietly(told));
  document.body.dataset.state = state.kind === "verdict" ? state.verdict : state.kind;
  document.body.dataset.reason = state.reason || "";
  document.documentElement.lang = languages[0];
  document.documentElement.dir = (strings[languages[0]] || {})["text.direction"] || "ltr";
  element("number").textContent = (state.kind === "verdict" && state.number) || "";
  element("notice").textContent = (state.kind === "verdict" && state.notice) || "";
  if (state.kind === "verdict") {
    put("word", `verdict.${state.verdict}`);
    put("next", state.instead ? "next.instead" : `next.${state.reason}`, state.instead);
    put("why", `why.${state.reason}`);
    // Where the next step is what the large word says already, once is enough.
    for (const [id, word] of [["next", "word"], ["next2", "word2"]]) {
      if (element(id).textContent === element(word).textContent) element(id).textContent = "";
    }
    speak(state, play(state.verdict));
  } else {
    speak(state, 0);
    const away = state.hint === "camera-lost" && besides.lanes.length > 0;
    put("word", state.kind === "hint" ? `hint.${state.hint}` : `state.${state.kind}`);
    put("next", ["idle", "referring", "silent"].includes(state.kind) ? `state.${state.kind}.next` :
      state.kind === "attention" ? `attention.${state.hint}` : state.kind === "configured" ? `configured.${state.outcome}` : "");
    put("why", away ? "attention.other-lanes" : "", besides.lanes.join(" · "));
    if (state.kind === "reading") play("read");
    if (state.kind === "attention" || state.kind === "configured") play("attention");
  }
  fit();
  // When the screen has it: the first refresh after this one's drawing.
  const at = performance.now(), what = document.body.dataset.state;
  requestAnimationFrame(() => requestAnimationFrame(() => { window.painted = { what, asked: at, at: performance.now() }; }));
};

// What staff must see to is no traveller's business: a small sign says that there is something, and the operator's page says what.
const staff = (faults) => {
  element("staff").hidden = faults.length === 0;
  element("staff-count").textContent = String(faults.length);
  element("staff").setAttribute("aria-label", say("staff.sign", String(faults.length)).slice(0, 2).join(" / "));
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
  // Around the symbol and its white margin: on them it would not be seen.
  const corners = outline || [], middle = [0, 1].map((axis) => corners.reduce((sum, corner) => sum + corner[axis] / 4, 0));
  const outside = corners.map((corner) => corner.map((part, axis) => middle[axis] + (part - middle[axis]) * 1.4).join(","));
  element("outline").firstElementChild.setAttribute("points", outside.join(" "));
  if (document.body.dataset.state === "idle") put("next", hint ? `hint.${hint}` : "state.idle.next");
};

// Two seconds, whatever the daemon says or does not say any more.
let nameGoes = 0;
const name = (text) => {
  clearTimeout(nameGoes);
  element("name").textContent = text || "";
  if (text) nameGoes = setTimeout(name, 2000, null);
};

// What stands on the screen is worth as much as the last word of the daemon is young. It says every five seconds that it is there; when
// it does not, this page knows nothing, and shows that. Who has waited a while is sent to another lane.
const SILENT = 12000, LONG = 10000;
let source = null, heard = 0, lostSince = null;
const lost = () => {
  if (source) source.close();
  source = null;
  name(null);
  preview({ width: 1, height: 1, luma: "AA==" });
  staff([]);
  besides = { lanes: [], refers_everybody: false };
  lostSince ??= performance.now();
  show({ kind: performance.now() - lostSince > LONG ? "silent" : "connecting" });
};
const watch = () => {
  if (source && performance.now() - heard < SILENT) return;
  lost();
  listen();
};

const listen = () => {
  heard = performance.now();
  source = new EventSource("/events" + (lane ? `?lane=${encodeURIComponent(lane)}` : ""));
  for (const event of ["hello", "state", "band", "besides", "name", "preview", "alive"]) source.addEventListener(event, () => { heard = performance.now(); });
  source.addEventListener("hello", (event) => {
    const hello = JSON.parse(event.data);
    languages = wanted ? [wanted, ...hello.languages.filter((language) => language !== wanted)] : hello.languages;
    signals = hello;
    lostSince = null;
    place = { desk: hello.desk || {} };
    document.body.dataset.side = hello.desk_side || "";
    element("place").textContent = hello.place;
    element("sound").textContent = say("sound.enable")[0];
    hearing();
    // A page left open while the daemon was replaced shows the new build's page.
    if (window.build && window.build !== hello.build) location.reload();
    window.build = hello.build;
  });
  source.addEventListener("state", (event) => show(JSON.parse(event.data)));
  source.addEventListener("band", (event) => staff(JSON.parse(event.data)));
  source.addEventListener("besides", (event) => {
    besides = JSON.parse(event.data);
    // What waits for nobody is drawn again; a verdict stays as it is.
    if (last.kind === "idle" || last.kind === "attention") show(last);
  });
  source.addEventListener("name", (event) => name(JSON.parse(event.data)));
  source.addEventListener("preview", (event) => preview(JSON.parse(event.data)));
  // The next round of the watch tries again.
  source.onerror = lost;
};

element("sound").addEventListener("click", hearing);
document.addEventListener("keydown", hearing);
// The daemon may begin after the screen does, or end while this page asks.
const begin = async () => {
  try {
    strings = await (await fetch("/strings.json")).json();
  } catch {
    setTimeout(begin, 1000);
    return;
  }
  show({ kind: "connecting" });
  listen();
  setInterval(watch, 1000);
};
begin();
