/** Where a figure lies that isn't known. */
export interface Range {
  readonly least: number;
  readonly most: number;
}
