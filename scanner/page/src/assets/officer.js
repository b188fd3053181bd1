// An officer's key: made here, kept here encrypted with a passphrase, and used here. Nothing of it leaves but the public half.
"use strict";

const Officer = (() => {
  const ROUNDS = 600000;  // PBKDF2-HMAC-SHA-256: what the officer waits, a thief waits for every guess (docs/operator.md has it measured).
  const SHORTEST = 8;
  const utf8 = (text) => new TextEncoder().encode(text);
  const base64 = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)));

  const store = (mode, work) => new Promise((resolve, reject) => {
    const opening = indexedDB.open("officers", 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore("keys", { keyPath: "role" });
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const asked = work(opening.result.transaction("keys", mode).objectStore("keys"));
      asked.onsuccess = () => { opening.result.close(); resolve(asked.result); };
      asked.onerror = () => { opening.result.close(); reject(asked.error); };
    };
  });

  const lock = async (passphrase, salt) => {
    const secret = await crypto.subtle.importKey("raw", utf8(passphrase), "PBKDF2", false, ["deriveKey"]);
    const how = { name: "PBKDF2", hash: "SHA-256", salt, iterations: ROUNDS };
    return crypto.subtle.deriveKey(how, secret, { name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
  };

  // Makes a key for a role, in place of the one before; the public half, for the list of officers.
  const enrol = async (role, passphrase) => {
    const pair = await crypto.subtle.generateKey({ name: "Ed25519" }, true, ["sign", "verify"]);
    const salt = crypto.getRandomValues(new Uint8Array(16)), iv = crypto.getRandomValues(new Uint8Array(12));
    const how = { name: "AES-GCM", iv, additionalData: utf8(role) };
    const locked = await crypto.subtle.encrypt(how, await lock(passphrase, salt), await crypto.subtle.exportKey("pkcs8", pair.privateKey));
    const key = base64(await crypto.subtle.exportKey("raw", pair.publicKey));
    await store("readwrite", (keys) => keys.put({ role, key, salt, iv, locked }));
    return key;
  };

  const roles = () => store("readonly", (keys) => keys.getAllKeys());

  // Opens the key of a role for this page. A wrong passphrase is an OperationError: the lock does not open; nobody of that role is a NotFoundError.
  const unlock = async (role, passphrase) => {
    const { key, salt, iv, locked } = (role && await store("readonly", (keys) => keys.get(role))) || {};
    if (!key) throw new DOMException("nobody of that role is enrolled here", "NotFoundError");
    const how = { name: "AES-GCM", iv, additionalData: utf8(role) };
    const bytes = await crypto.subtle.decrypt(how, await lock(passphrase, salt), locked);
    return { role, key, secret: await crypto.subtle.importKey("pkcs8", bytes, { name: "Ed25519" }, false, ["sign"]) };
  };

  // Signs a decision as cache/LOG.md says, "By hand", with a key that was opened.
  const sign = async (decision, { key, secret }) => {
    const signed_ms = Date.now();
    const lines = ["checkpointd override", `scan ${decision.scan}`, `verdict ${decision.verdict}`, `role ${decision.role}`, `why ${decision.why}`, `signed_ms ${signed_ms}`];
    const signature = await crypto.subtle.sign({ name: "Ed25519" }, secret, utf8(lines.map((line) => `${line}\n`).join("")));
    return { ...decision, signed_ms, key, signature: base64(signature) };
  };

  return { enrol, roles, unlock, sign, SHORTEST };
})();
