/** Lets so many pieces of work begin, and each other one when one has ended. */
export class Turns {
  readonly #limit: number;
  readonly #waiting: (() => void)[] = [];
  #underWay = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** @param begin is given the work when it is its turn, and has it run */
  add(run: () => Promise<void>, begin: (work: () => Promise<void>) => void): void {
    const work = async () => {
      await run();
      this.#underWay--;
      this.#next();
    };
    this.#waiting.push(() => begin(work));
    this.#next();
  }

  #next(): void {
    if (this.#underWay >= this.#limit) return;
    const begin = this.#waiting.shift();
    if (begin === undefined) return;
    this.#underWay++;
    begin();
  }
}
