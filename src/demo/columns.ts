/** A growing list of numbers in 2, 4 or 8 bytes each: an object per record would take fifty times as much. */
export class Column<T extends Uint16Array | Uint32Array | Float64Array> {
  #values: T;
  #length = 0;
  readonly #make: (length: number) => T;

  constructor(make: (length: number) => T) {
    this.#make = make;
    this.#values = make(1024);
  }

  get length(): number {
    return this.#length;
  }

  push(value: number): void {
    if (this.#length === this.#values.length) {
      const grown = this.#make(this.#values.length * 2);
      grown.set(this.#values);
      this.#values = grown;
    }
    this.#values[this.#length++] = value;
  }

  at(index: number): number {
    if (index < 0 || index >= this.#length) throw new RangeError(`there is no entry ${index} of ${this.#length}`);
    return this.#values[index] as number;
  }
}

export function column16(): Column<Uint16Array> {
  return new Column((length) => new Uint16Array(length));
}

export function column32(): Column<Uint32Array> {
  return new Column((length) => new Uint32Array(length));
}

export function column64(): Column<Float64Array> {
  return new Column((length) => new Float64Array(length));
}
