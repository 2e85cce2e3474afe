// Text into HTML and JSON into script elements.
import { expect, test } from "vitest";
import { escapeHtml, html, scriptJson } from "../../src/report/markup.ts";

test("a template escapes what is inserted, but not markup", () => {
  const item = (text: string) => html`<li title="${text}">${text}</li>`;
  expect(html`<ul>${[item("a&b"), item(`"<'>`)]}</ul>${undefined}${1.5}`.text).toBe(
    '<ul><li title="a&amp;b">a&amp;b</li><li title="&quot;&lt;&#39;&gt;">&quot;&lt;&#39;&gt;</li></ul>1.5',
  );
});

test("control characters, which HTML forbids, are replaced; line ends stay", () => {
  expect(escapeHtml("a\u0000b\u001b\u009fc\n\td")).toBe("a\ufffdb\ufffd\ufffdc\n\td");
});

test("JSON in a script element cannot end it, and means the same", () => {
  const value = { a: ["</script><!--<script>", "&amp;", "\u2028\u2029"], b: null };
  const { text } = scriptJson(value);
  expect(text).not.toMatch(/[<>&\u2028\u2029]/);
  expect(JSON.parse(text)).toEqual(value);
});
