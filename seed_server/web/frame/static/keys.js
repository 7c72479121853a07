"use strict";
// Keys (WebAuthn): a button with data-key asks the browser for one, by the options in it, and sends its form.

const octets = text => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), sign => sign.charCodeAt(0));
const inText = buffer => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const named = keys => keys.map(one => ({ ...one, id: octets(one.id) }));

async function askKey(button) {
  const wanted = JSON.parse(button.dataset.key), publicKey = { ...wanted, challenge: octets(wanted.challenge) };
  if (wanted.user) publicKey.user = { ...wanted.user, id: octets(wanted.user.id) };
  if (wanted.excludeCredentials) publicKey.excludeCredentials = named(wanted.excludeCredentials);
  if (wanted.allowCredentials) publicKey.allowCredentials = named(wanted.allowCredentials);
  const key = await navigator.credentials[wanted.user ? "create" : "get"]({ publicKey }), response = {};
  for (const part of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"])
    if (key.response[part]) response[part] = inText(key.response[part]);
  const answer = { id: key.id, rawId: inText(key.rawId), type: key.type, response };
  button.form.elements[button.dataset.into].value = JSON.stringify(answer);
  button.form.submit();
}

for (const button of document.querySelectorAll("button[data-key]")) {
  const said = button.form.querySelector("[data-key-said]");
  button.hidden = !window.PublicKeyCredential;
  if (button.hidden) said.hidden = false;
  button.addEventListener("click", () => {
    if (!button.form.reportValidity()) return;
    said.hidden = true;
    askKey(button).catch(() => { said.hidden = false; });
  });
}
