// The data: what the page knows at once, and blocks that are read when something in them is looked at.
const core = JSON.parse(document.getElementById("core").textContent);
const blocks = new Map(); // number -> promise of a block
const arriving = new Map(); // number -> what to do with a block when its file has come

const beside = window.trustedTypes && !document.getElementById("block-0")
  ? window.trustedTypes.createPolicy("data", { createScriptURL: (name) => (/^leaderboard-data-\d+\.js$/.test(name) ? name : "") })
  : { createScriptURL: (name) => name };

window.leaderboardData = (number, data) => arriving.get(number)?.(data);

function block(number) {
  if (!blocks.has(number)) blocks.set(number, read(number));
  return blocks.get(number);
}

function read(number) {
  const inline = document.getElementById(`block-${number}`);
  if (inline) return Promise.resolve(JSON.parse(inline.textContent));
  return new Promise((resolve, reject) => {
    const name = `leaderboard-data-${number}.js`;
    const script = document.createElement("script");
    arriving.set(number, resolve);
    script.onerror = () => {
      blocks.delete(number);
      reject(new Error(`${name} is not beside this file`));
    };
    script.src = beside.createScriptURL(name);
    document.head.append(script);
  });
}

// An element with attributes and children; text is only ever text.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== ""));
  return element;
}

// A name may break after a sign that joins its parts, and its words stay whole.
const breakable = (text) => (text.match(/[^+=_]+[+=_]*|[+=_]+/g) ?? []).flatMap((part, number) => (number ? [make("wbr"), part] : [part]));

const at = (id) => document.getElementById(id);
const say = (id, text) => { at(id).textContent = text; };

// A sentence of ours: what stands between backticks is code.
const prose = (text) => text.split("`").map((part, number, all) => (number % 2 && number + 1 < all.length ? make("code", {}, part) : part));
const tell = (id, text) => at(id).replaceChildren(...prose(text));
