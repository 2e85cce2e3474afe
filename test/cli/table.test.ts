// Text tables of the command.
import { expect, test } from "vitest";
import { formatTable } from "../../src/cli/table.ts";

test("columns are aligned, numbers to the right, nothing trails", () => {
  const rows = [
    ["name", "n", "paper", "note"],
    ["a", 5, "–", ""],
    ["long name", "1,234.5", 7.1, "text"],
  ];
  expect(formatTable(rows)).toBe(
    "name             n  paper  note\na                5      –\nlong name  1,234.5    7.1  text",
  );
  expect(formatTable([["only", "heading"]])).toBe("only  heading");
});
