import type { Place } from "./facts.ts";
import type { YamlValue } from "./yaml.ts";

/** A value of a chart and where it is set. */
export interface ChartValue extends Place {
  readonly text: string;
}

/** A Helm chart's own defaults: what its templates give where nobody sets more. */
export class Chart {
  private readonly file: string;
  private readonly values: YamlValue;
  private readonly appVersion: string | undefined;

  /** @param file path of its values.yaml. */
  constructor(file: string, values: YamlValue, appVersion: string | undefined) {
    this.file = file;
    this.values = values;
    this.appVersion = appVersion;
  }

  /**
   * What an action of a template gives: values, the chart's version, and `default`; undefined for all else.
   * @example chart.valueOf(".Values.image.tag | default .Chart.AppVersion | quote")
   */
  valueOf(action: string): ChartValue | undefined {
    const [head = "", ...filters] = action
      .replace(/^-|-$/g, "")
      .split("|")
      .map((part) => part.trim());
    const [, fallback, operand] = /^default\s+(\S+)\s+(\S+)$/.exec(head) ?? [];
    if (operand !== undefined) return this.term(operand) ?? this.term(fallback ?? "");
    if (!filters.every((filter) => /^(?:default\s+\S+|quote|squote|int|int64|toString|trim)$/.test(filter)))
      return undefined;
    const standard = filters.flatMap((filter) => /^default\s+(\S+)$/.exec(filter)?.[1] ?? [])[0];
    return this.term(head) ?? (standard === undefined ? undefined : this.term(standard));
  }

  private term(text: string): ChartValue | undefined {
    const literal = /^(?:"([^"]*)"|(\d+))$/.exec(text);
    if (literal) return { file: this.file, line: 1, text: literal[1] ?? literal[2] ?? "" };
    if (/^\$?\.Chart\.AppVersion$/.test(text))
      return this.appVersion === undefined ? undefined : { file: this.file, line: 1, text: this.appVersion };
    const path = /^\$?\.Values\.([\w.]+)$/.exec(text)?.[1];
    let value: YamlValue | undefined = path === undefined ? undefined : this.values;
    for (const key of path?.split(".") ?? []) value = value?.get(key);
    // An empty value is none: `default` takes its place.
    return value?.text === undefined || value.text === ""
      ? undefined
      : { file: this.file, line: value.line, text: value.text };
  }
}
