// Makes this machine a desk of the gate: sends the code that the box showed, and keeps nothing.
"use strict";

const pair = async (event) => {
  event.preventDefault();
  const code = element("code").value;
  element("code").value = "";
  element("said").textContent = "";
  try {
    const answer = await fetch("/pair", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ code }) });
    if (answer.ok) location.replace("/desk" + location.search);
    else element("said").textContent = say(`pair.said.${answer.status}`);
  } catch { element("said").textContent = say("state.connecting"); }
  element("code").focus();
};
element("pair").addEventListener("submit", pair);
speak().then(() => element("code").focus());
