/** What is taken off the front of, one by one. */
export interface Queue<T> {
  /** What stands first; undefined: nothing that may be taken. */
  head(): T | undefined;
  /** Takes it off. */
  shift(): void;
}

/** Several queues, each in order, as one in order: a binary heap of their heads. Nobody else may take of them meanwhile. */
export class OldestFirst<T> implements Queue<T> {
  readonly #orderOf: (item: T) => number;
  readonly #queues: Queue<T>[];
  /** Of the head of the queue at the same place; no later than those at 2i + 1 and 2i + 2. */
  readonly #orders: number[] = [];

  constructor(queues: readonly Queue<T>[], orderOf: (item: T) => number) {
    this.#orderOf = orderOf;
    this.#queues = queues.filter((queue) => queue.head() !== undefined);
    for (const queue of this.#queues) this.#orders.push(orderOf(queue.head() as T));
    for (let i = (this.#queues.length >> 1) - 1; i >= 0; i--) this.#sink(i);
  }

  head(): T | undefined {
    return this.#queues[0]?.head();
  }

  shift(): void {
    const [queue] = this.#queues;
    if (queue === undefined) return;
    queue.shift();
    const next = queue.head();
    if (next !== undefined) this.#orders[0] = this.#orderOf(next);
    else {
      const [last, order] = [this.#queues.pop(), this.#orders.pop()];
      if (this.#queues.length === 0 || last === undefined || order === undefined) return;
      this.#queues[0] = last;
      this.#orders[0] = order;
    }
    this.#sink(0);
  }

  #sink(from: number): void {
    const [queues, orders] = [this.#queues, this.#orders];
    const queue = queues[from] as Queue<T>;
    const order = orders[from] as number;
    let at = from;
    for (let child = 2 * at + 1; child < orders.length; child = 2 * at + 1) {
      if ((orders[child + 1] ?? Number.POSITIVE_INFINITY) < (orders[child] as number)) child++;
      if (order <= (orders[child] as number)) break;
      queues[at] = queues[child] as Queue<T>;
      orders[at] = orders[child] as number;
      at = child;
    }
    queues[at] = queue;
    orders[at] = order;
  }
}
