/** The position of a page in its list. */
export interface PageInfo {
  hasNextPage: boolean;
  hasPreviousPage: boolean;
  /** The cursor of the first item; null when the page is empty. */
  startCursor: string | null;
  /** The cursor of the last item; null when the page is empty. */
  endCursor: string | null;
}

/** A page of a list. */
export interface Page<Node, Edge extends { cursor: string; node: Node } = { cursor: string; node: Node }> {
  /** The items of the page. */
  nodes: Node[];
  /** The items with their cursors. */
  edges: Edge[];
  pageInfo: PageInfo;
}

/** A list that is read page by page, when it is asked for. */
export class List<Node, P extends Page<Node> = Page<Node>> implements AsyncIterable<Node> {
  readonly #read: (after: string | null | undefined) => Promise<P>;

  /** A list whose pages are read by a function. Without a cursor it reads the first page. */
  constructor(read: (after: string | null | undefined) => Promise<P>) {
    this.#read = read;
  }

  /** The first page, or the page after a cursor. */
  page(after?: string | null): Promise<P> {
    return this.#read(after);
  }

  /** All pages, from the first. */
  async *pages(): AsyncGenerator<P, void, void> {
    let after: string | null | undefined;
    for (;;) {
      const page = await this.#read(after);
      yield page;
      if (!page.pageInfo.hasNextPage) return;
      after = page.pageInfo.endCursor;
    }
  }

  /** All items, from the first. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Node, void, void> {
    for await (const page of this.pages()) yield* page.nodes;
  }
}

/** A page with its items beside its edges. */
export function toPage<C extends { edges: { cursor: string; node: unknown }[]; pageInfo: PageInfo }>(
  connection: C,
): C & { nodes: C["edges"][number]["node"][] } {
  return { ...connection, nodes: connection.edges.map(({ node }) => node) };
}
