import { parser } from "@prometheus-io/lezer-promql";

/** What a PromQL expression asks of one metric. */
export interface Selector {
  readonly metric: string;
  /** Labels that it is chosen or grouped by. */
  readonly labels: ReadonlySet<string>;
}

/** Nodes of the grammar as they are used here. */
type Node = ReturnType<ReturnType<typeof parser.parse>["resolve"]>;

/**
 * Each metric that an expression selects, with the labels that matchers and the aggregations around it name.
 * @param names all metrics there are: one that is selected by a pattern stands for each that fits it
 * @throws Error if it isn't PromQL
 */
export function selectorsOf(expression: string, names: Iterable<string>): readonly Selector[] {
  const all = [...names];
  const found: Selector[] = [];
  const textOf = ({ from, to }: Node) => expression.slice(from, to);
  const visit = (node: Node, grouped: readonly string[]): void => {
    if (node.type.isError) throw new Error(`not PromQL: ${expression}, at ${node.from}`);
    if (node.name === "VectorSelector") {
      const matchers = node.getChild("LabelMatchers")?.getChildren("UnquotedLabelMatcher") ?? [];
      const byLabel = matchers.map((matcher) => {
        const [label, value] = [matcher.getChild("LabelName"), matcher.getChild("StringLiteral")];
        return [label === null ? "" : textOf(label), value === null ? "" : textOf(value).slice(1, -1)] as const;
      });
      const labels = new Set([...grouped, ...byLabel.map(([label]) => label)].filter((label) => label !== "__name__"));
      const identifier = node.getChild("Identifier");
      const pattern = byLabel.find(([label]) => label === "__name__")?.[1] ?? "";
      const metrics =
        identifier === null ? all.filter((name) => new RegExp(`^(?:${pattern})$`).test(name)) : [textOf(identifier)];
      if (metrics.length === 0) throw new Error(`no metric is like ${pattern}: ${expression}`);
      found.push(...metrics.map((metric) => ({ metric, labels })));
    }
    const grouping = node.getChild("AggregateModifier")?.getChild("GroupingLabels")?.getChildren("LabelName") ?? [];
    const inner = [...grouped, ...grouping.map(textOf)];
    for (let child = node.firstChild; child !== null; child = child.nextSibling) visit(child, inner);
  };
  visit(parser.parse(expression).topNode, []);
  return found;
}
