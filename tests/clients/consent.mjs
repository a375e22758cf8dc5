// A willing user in a browser: opens CONSENT_URL at the test's authorization server (oidc-provider's own pages), signs
// in, consents, and follows the way back to whoever waits for the answer. Prints what the last page says.

const cookies = new Map();

const go = async (url, body) => {
  const response = await fetch(url, {
    method: body ? "POST" : "GET",
    redirect: "manual",
    headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join("; "), accept: "text/html" },
    body,
  });
  for (const line of response.headers.getSetCookie()) {
    const [name, ...value] = line.split(";")[0].split("=");
    if (value.join("=")) cookies.set(name, value.join("="));
    else cookies.delete(name);
  }
  return response;
};

const attribute = (tag, name) => tag.match(new RegExp(`${name}="([^"]*)"`))?.[1].replaceAll("&amp;", "&");

const start = new URL(process.env.CONSENT_URL);
let at = start;
let response = await go(at);
for (let step = 0; step < 20; step += 1) {
  const location = response.headers.get("location");
  if (location) {
    at = new URL(location, at);
    response = await go(at);
    if (at.origin !== start.origin) break;
    continue;
  }
  const form = (await response.text()).match(/<form[\s\S]*<\/form>/)?.[0];
  if (!form) throw new Error(`no way on from ${at}`);
  const fields = new URLSearchParams();
  for (const input of form.match(/<input[^>]*>/g) ?? []) {
    const name = attribute(input, "name");
    if (name) fields.set(name, { login: "alice", password: "x" }[name] ?? attribute(input, "value") ?? "");
  }
  at = new URL(attribute(form, "action"), at);
  response = await go(at, fields);
}
console.log(JSON.stringify({ at: at.origin + at.pathname, status: response.status, page: await response.text() }));
