import type { MessagePartInput } from "scrollback-client";

/** An answer that the scripted model knows. */
export interface Script {
  /** Which questions it answers. */
  asks: RegExp;
  text: string;
  /** What it says when it is asked for another answer. */
  other?: string;
  parts?: MessagePartInput[];
  /** Whether the first answer breaks off. */
  fails?: boolean;
}

const LONG = Array.from({ length: 24 }, (_, index) => {
  const number = index + 1;
  return `${number}. At ${String(number).padStart(2, "0")}:00 the keeper writes what the sea looked like, and signs it.`;
}).join("\n");

/** The answers. The last one is for everything else. */
export const ANSWERS: Script[] = [
  {
    asks: /\b(tide|harbour|harbor)/i,
    text: "High water at **Harbour Mole** is at **14:32**, 4.1 m above chart datum.\n\n| | time | height |\n|---|---|---|\n| low | 08:11 | 0.9 m |\n| high | 14:32 | 4.1 m |\n| low | 20:47 | 1.1 m |\n\nLeave before 13:00, and you will have the stream with you.",
    other: "The tide turns at **14:32**. Before that, the stream runs out with up to two knots.",
    parts: [
      { reasoning: { text: "The question is about a time today, so the tide table is needed. Heights are above chart datum." } },
      {
        tool: {
          toolCallId: "call-tides",
          toolName: "tide_table",
          state: "OUTPUT_AVAILABLE",
          input: { place: "Harbour Mole", day: "today" },
          output: { low: ["08:11", "20:47"], high: ["14:32"], unit: "m" },
        },
      },
    ],
  },
  {
    asks: /\b(code|function|typescript|program)/i,
    text: 'Here is a function that groups values by a key:\n\n```ts\nexport function groupBy<T, K>(values: Iterable<T>, key: (value: T) => K): Map<K, T[]> {\n  const groups = new Map<K, T[]>();\n  for (const value of values) {\n    const group = groups.get(key(value));\n    if (group) group.push(value);\n    else groups.set(key(value), [value]);\n  }\n  return groups;\n}\n```\n\n- It reads every value **once**.\n- Groups keep the order in which their keys came.\n- In new runtimes, `Map.groupBy` does the same.',
    other: "Use the one that is built in:\n\n```ts\nconst groups = Map.groupBy(values, (value) => value.kind);\n```\n\nIt is in all current browsers and in Node.js 21 or newer.",
  },
  {
    asks: /\b(long|story|log)\b/i,
    text: `The log of a quiet day:\n\n${LONG}\n\nThat is the end of the log.`,
    other: `The same day, seen from the other side of the harbour:\n\n${LONG}\n\nThat is the end of the other log.`,
  },
  {
    asks: /\bfail\b/i,
    text: "This answer ends in the middle, because",
    other: "This time it works.",
    fails: true,
  },
  {
    asks: /(?:)/,
    text: "This is a scripted model: it needs no network, and always says the same.\n\nEvery word that you see was **stored before you saw it**. So you can close this page now, open it tomorrow or on another device, and read on.\n\nThings to ask for:\n\n1. `When is high tide?` calls a tool.\n2. `Write a function` answers with code.\n3. `Tell me a long story` leaves time to press stop.",
    other: "Another answer, in a branch of its own. The first one is still there: use the arrows below.",
  },
];
