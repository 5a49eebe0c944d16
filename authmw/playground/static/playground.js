"use strict";

const NAMES = {
  strip: "1 Strip",
  read: "2 Read",
  resolve: "3 Resolve",
  check: "4 Check",
  inject: "5 Inject",
  reject: "5 Reject",
};

const find = (id) => document.getElementById(id);
const key = document.querySelector("meta[name=playground-key]").content;

// Everything that came from a server is set as text, never as HTML.
function make(tag, text, ...classes) {
  const element = document.createElement(tag);
  element.textContent = text;
  element.classList.add(...classes);
  return element;
}

function formatTime(milliseconds) {
  if (milliseconds === null) return "";
  if (milliseconds < 1) return `${Math.round(milliseconds * 1000)} µs`;
  return `${milliseconds.toFixed(milliseconds < 10 ? 1 : 0)} ms`;
}

function makeLine(name, decision, milliseconds) {
  const line = make("div", "", "line");
  line.append(
    make("span", name, "name"),
    make("span", decision, "decision"),
    make("span", formatTime(milliseconds), "time"),
  );
  return line;
}

function readHeaders() {
  return find("headers").value.split("\n").filter((line) => line.trim()).map((line) => {
    const colon = line.indexOf(":");
    if (colon < 1) throw new Error(`"${line.trim()}" is no header: write "Name: value"`);
    return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
  });
}

function showVerdict(answer) {
  const reached = answer.service !== null;
  const verdict = find("verdict");
  const isGood = Number(answer.status.slice(0, 3)) < 400;
  verdict.className = isGood ? "good" : "bad";
  verdict.textContent = `${answer.status}: ` + (reached
    ? "the middleware let the request through, and the service answered."
    : "the middleware answered, and the service got no request.");
}

function showStages(answer) {
  find("total").textContent = `(${formatTime(answer.milliseconds)} in all)`;
  find("stages").replaceChildren(...answer.stages.map((one) => {
    const stage = one.stage !== "answer" ? one.stage : one.state === "refused" ? "reject" : "inject";
    const item = make("li", "", one.state.replace(" ", "-"));
    item.dataset.stage = one.stage;
    item.dataset.state = one.state;
    const decision = one.state === "not reached" && !one.decision ? "not reached" : one.decision;
    item.append(makeLine(NAMES[stage], decision, one.milliseconds));
    if (one.steps.length) {
      const steps = make("ul", "", "steps");
      steps.append(...one.steps.map((step) => {
        const inner = make("li", "", `d${Math.min(step.depth, 4)}`);
        inner.classList.toggle("bad", !step.accepted);
        // An error that goes through several steps is told once, where it began.
        const isPassedOn = !step.accepted && step.decision === one.decision;
        inner.append(makeLine(step.name, isPassedOn ? "failed" : step.decision, step.milliseconds));
        return inner;
      }));
      item.append(steps);
    }
    return item;
  }));
}

function showSent(answer) {
  const reached = answer.service !== null;
  find("sent").hidden = !answer.sent.length;
  find("nothing-sent").hidden = answer.sent.length > 0;
  find("sent").tBodies[0].replaceChildren(...answer.sent.map((header) => {
    const row = make("tr", "");
    const fate = header.removed ? "removed" : reached ? "passed on" : "not passed on";
    row.append(
      make("td", header.name),
      make("td", header.value, ...(header.removed ? ["struck"] : [])),
      make("td", fate, ...(header.removed ? ["removed"] : [])),
    );
    return row;
  }));
}

function showService(answer) {
  const headers = answer.service ?? [];
  find("service").hidden = !headers.length;
  find("no-service").hidden = headers.length > 0;
  find("no-service").textContent = answer.service === null
    ? "Nothing: the middleware answered." : "The request, without a header about the caller.";
  find("service").tBodies[0].replaceChildren(...headers.map((header) => {
    const row = make("tr", "");
    row.append(
      make("td", header.name),
      make("td", header.value),
      make("td", header.from, ...(header.from === "client" ? [] : ["own"])),
    );
    return row;
  }));
}

function show(answer) {
  showVerdict(answer);
  showStages(answer);
  showSent(answer);
  showService(answer);
  const lines = answer.headers.map(([name, value]) => `${name}: ${value}`);
  find("response").textContent = [answer.status, ...lines, "", answer.body].join("\n");
  find("curl").textContent = answer.curl;
  find("details").hidden = false;
}

async function send() {
  const response = await fetch("/api/requests", {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Playground-Key": key },
    body: JSON.stringify({
      mode: find("mode").value,
      persona: find("persona").value,
      method: find("method").value,
      path: find("path").value,
      headers: readHeaders(),
      new_token: find("new-token").checked,
    }),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  show(answer);
}

find("request").addEventListener("submit", async (event) => {
  event.preventDefault();
  find("problem").textContent = "";
  find("send").disabled = true;
  try {
    await send();
  } catch (error) {
    find("problem").textContent = error instanceof TypeError
      ? "The demo does not answer: has it ended?" : error.message;
  } finally {
    find("send").disabled = false;
    find("send").focus();
  }
});

function describeMode() {
  find("mode-description").textContent = find("mode").selectedOptions[0].dataset.description;
}

find("mode").addEventListener("change", describeMode);
describeMode();

find("copy").addEventListener("click", () => {
  navigator.clipboard.writeText(find("curl").textContent);
});
