// Text into HTML, safely.

/** HTML that is ready to be put into a page. Made by {@link html} and {@link raw} only. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What {@link html} takes: text is escaped, markup and lists of it stand as they are, `undefined` is nothing. */
export type Insertable = string | number | Markup | readonly Markup[] | undefined;

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Text as it may stand between tags or in a quoted attribute. Control characters are replaced. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]!).replace(CONTROLS, "\ufffd");
}

/** Characters that HTML forbids: control characters except for tab and line ends. */
const CONTROLS = /(?![\t\n\r])\p{Cc}/gu;

/** Markup of our own making: never of what comes from outside. */
export const raw = (text: string): Markup => new Markup(text);

/** A template whose insertions are escaped unless they are markup themselves. */
export function html(parts: TemplateStringsArray, ...values: readonly Insertable[]): Markup {
  return raw(parts.reduce((text, part, i) => text + inserted(values[i - 1]) + part));
}

function inserted(value: Insertable): string {
  if (value === undefined) return "";
  if (value instanceof Markup) return value.text;
  if (Array.isArray(value)) return value.map(inserted).join("");
  return escapeHtml(String(value));
}

/** A value as JSON that may stand in a script element: nothing in it can end the element or open a comment. */
export function scriptJson(value: unknown): Markup {
  const text = JSON.stringify(value) ?? "null";
  return raw(text.replace(/[<>&\u2028\u2029]/g, unicodeEscape));
}

const unicodeEscape = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
