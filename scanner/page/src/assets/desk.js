// The second line's page: one card for each traveller who was sent there. A card never moves and never changes places with another:
// it stays where it was put until an officer has dealt with it.
"use strict";

// A place that was left empty is used again after this long, so that no card appears under a finger that meant the one before.
const REST = 3000;
// An officer who has gone away without handing over.
const IDLE = 600000;
const VERDICTS = { a: "admit", r: "refuse" };
const WHYS = ["papers", "issuer-asked", "emergency", "not-the-holder", "equipment"];

const cards = element("cards");
const shown = new Map();
let officer = null, touched = Date.now();

const tell = (key) => { element("said").textContent = key ? say(key) : ""; };

// The officer's key stays in this page, opened once for a while; the passphrase is not kept.
const begin = async (event) => {
  event.preventDefault();
  const passphrase = element("passphrase").value;
  element("passphrase").value = "";
  try {
    officer = await Officer.unlock(element("role").value, passphrase);
    tell("");
  } catch (error) {
    officer = null;
    tell(error.name === "NotFoundError" ? "override.nobody" : error.name === "OperationError" ? "override.said.passphrase" : "override.said.old");
  }
  identify();
};
const handOver = () => { officer = null; identify(); };
const identify = () => {
  element("unlock").hidden = Boolean(officer);
  element("officer").hidden = !officer;
  element("officer-role").textContent = officer ? officer.role : "";
};

const post = async (path, what) => {
  const answer = await fetch(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(what) });
  return answer.ok ? null : `override.said.${answer.status}`;
};
const gone = (scan) => {
  const card = shown.get(scan);
  if (!card) return;
  const next = [...cards.querySelectorAll("article")].find((other) => other !== card && !other.hidden);
  const had = card.contains(document.activeElement);
  shown.delete(scan);
  card.replaceWith(make("div", { class: "free", "data-since": Date.now() }));
  if (had && next) next.focus();
  count();
};
const decide = async (scan, verdict, why) => {
  if (!officer) { tell("desk.begin-first"); return; }
  try {
    const refused = await post("/override", await Officer.sign({ scan, verdict, role: officer.role, why }, officer));
    tell(refused || "");
    if (!refused) gone(scan);
  } catch { tell("state.connecting"); }
};
const done = async (scan) => {
  try {
    const refused = await post("/desk/done", { scan });
    tell(refused || "");
    if (!refused) gone(scan);
  } catch { tell("state.connecting"); }
};

const fact = (key, value) => (value ? [make("dt", {}, say(key)), make("dd", {}, value)] : []);
const draw = (card) => {
  const asks = words[`ask.${card.reason}`] ? `ask.${card.reason}` : "ask.other";
  const buttons = Object.entries(VERDICTS).map(([key, verdict]) =>
    make("button", { type: "button", class: verdict, "data-verdict": verdict, "aria-keyshortcuts": key },
      make("kbd", {}, key.toUpperCase()), ` ${say("decide." + verdict)}`));
  const whys = WHYS.map((why, at) =>
    make("button", { type: "button", "data-why": why, "aria-keyshortcuts": String(at + 1) }, make("kbd", {}, String(at + 1)), ` ${say("override.why." + why)}`));
  const issuer = card.issuer ? `${named(card.issuer, card.issuer_names)} ${card.issuer}` : "";
  return make("article", { tabindex: "0", "data-scan": card.scan, "data-number": card.number, class: card.verdict, "aria-label": `${say("number")} ${card.number}` },
    make("h2", {}, card.number, make("span", { class: `tag ${card.verdict}` }, say("tag." + card.verdict))),
    make("p", { class: "why" }, say("why." + card.reason) || card.reason),
    make("dl", {},
      fact("desk.arrived", make("span", {}, `${clock(card.at_ms)} · ${say("operator.lane")} ${card.lane} · `, make("time", { "data-at": card.at_ms }))),
      fact("desk.list", issuer), fact("desk.age", issuer && age(card.list_age_s)),
      fact("desk.notice", card.notice), fact("desk.instead", card.instead), fact("desk.ask", say(asks))),
    make("div", { class: "verdicts" }, buttons, make("button", { type: "button", "data-done": "" }, make("kbd", {}, "D"), ` ${say("desk.done")}`)),
    make("div", { class: "whys", hidden: "" }, whys));
};

const choose = (article, verdict) => {
  article.dataset.chosen = verdict;
  article.querySelectorAll("[data-verdict]").forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.verdict === verdict)));
  article.querySelector(".whys").hidden = false;
};
cards.addEventListener("click", ({ target }) => {
  const article = target.closest("article"), button = target.closest("button");
  if (!article || !button) return;
  if (button.dataset.verdict) choose(article, button.dataset.verdict);
  else if (button.dataset.why) decide(article.dataset.scan, article.dataset.chosen, button.dataset.why);
  else if ("done" in button.dataset) done(article.dataset.scan);
});
cards.addEventListener("keydown", (event) => {
  const article = event.target.closest("article");
  if (!article || event.ctrlKey || event.altKey || event.metaKey) return;
  const key = event.key.toLowerCase(), why = WHYS[Number(key) - 1];
  if (VERDICTS[key]) choose(article, VERDICTS[key]);
  else if (why && article.dataset.chosen) decide(article.dataset.scan, article.dataset.chosen, why);
  else if (key === "d") done(article.dataset.scan);
  else if (key.startsWith("arrow")) {
    const all = [...cards.querySelectorAll("article")], step = key === "arrowright" || key === "arrowdown" ? 1 : -1;
    (all[all.indexOf(article) + step] || article).focus();
  } else return;
  event.preventDefault();
});

// A number that is looked for is brought to the eye; nothing else moves away.
const search = () => {
  const wanted = element("search").value.trim().toUpperCase();
  let found = null;
  for (const article of cards.querySelectorAll("article")) {
    const fits = wanted !== "" && article.dataset.number.startsWith(wanted);
    article.classList.toggle("found", fits);
    article.classList.toggle("dim", wanted !== "" && !fits);
    if (fits && !found) found = article;
  }
  if (found) found.scrollIntoView({ block: "nearest" });
  return found;
};
element("search").addEventListener("input", search);
element("search").addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  const found = search();
  if (found) found.focus();
});

const count = () => {
  element("waiting").textContent = `${shown.size} ${say("desk.waiting")}`;
  element("empty").hidden = shown.size > 0;
};
const update = (line) => {
  element("place").textContent = line.place;
  const there = new Set(line.cards.map((card) => card.scan));
  for (const scan of [...shown.keys()]) if (!there.has(scan)) gone(scan);
  for (const card of line.cards.filter((card) => !shown.has(card.scan))) {
    const free = [...cards.querySelectorAll(".free")].find((place) => Date.now() - Number(place.dataset.since) >= REST);
    const article = draw(card);
    if (free) free.replaceWith(article);
    else cards.append(article);
    shown.set(card.scan, article);
  }
  for (const time of cards.querySelectorAll("time")) time.textContent = age((Date.now() - Number(time.dataset.at)) / 1000);
  count();
};
const ask = async () => {
  try {
    const answer = await fetch("/desk.json");
    if (answer.status === 401) { location.replace("/pair" + location.search); return; }
    if (answer.ok) { update(await answer.json()); document.body.classList.remove("away"); }
  } catch {
    // What stands here may be old: say so, and keep it where it is.
    document.body.classList.add("away");
    tell("state.connecting");
  }
  if (officer && Date.now() - touched > IDLE) handOver();
  setTimeout(ask, 1000);
};

const enrol = async () => {
  const role = element("enrol-role").value.trim().replace(/\s+/g, "-"), passphrase = element("enrol-passphrase").value;
  element("enrol-passphrase").value = "";
  if (!role || passphrase.length < Officer.SHORTEST) { element("enrol-line").textContent = say("override.enrol.short"); return; }
  try {
    element("enrol-line").textContent = `${role} ${await Officer.enrol(role, passphrase)}`;
    await listRoles();
  } catch { element("enrol-line").textContent = say("override.said.old"); }
};
const listRoles = async () => {
  const roles = await Officer.roles();
  element("role").replaceChildren(...(roles.length ? roles : [""]).map((role) => make("option", { value: role }, role || say("override.nobody"))));
};

for (const event of ["pointerdown", "keydown"]) document.addEventListener(event, () => { touched = Date.now(); });
element("unlock").addEventListener("submit", begin);
element("hand-over").addEventListener("click", handOver);
// Another machine than the gate stops being a desk at the end of a shift, so that nobody goes on with it.
element("leave").hidden = location.protocol !== "https:";
element("leave").addEventListener("click", async () => { handOver(); await post("/desk/leave", {}); location.replace("/pair" + location.search); });
element("enrol-do").addEventListener("click", enrol);
speak().then(listRoles).then(ask);
