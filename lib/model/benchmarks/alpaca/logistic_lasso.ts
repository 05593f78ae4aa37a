/**
 * Logistic regression with an L1 penalty on few features, and its penalty chosen by cross-validation: what alpaca-eval gets from
 * scikit-learn's `LogisticRegressionCV(penalty="l1", solver="liblinear", fit_intercept=False)`.
 * @module
 */

/** A row with a probability as its label. */
export interface LassoRow {
  readonly features: readonly number[];
  /** probability of the label 1 */
  readonly label: number;
  readonly weight: number;
}

/** Inverse penalties that scikit-learn tries: 10 from 1e-4 to 1e4. */
const PENALTIES = Array.from({ length: 10 }, (_, i) => 10 ** (-4 + 8 * i / 9));
const FOLDS = 5, MAX_STEPS = 1000, TOLERANCE = 1e-10;

/** Returns the weights fitted with the penalty of the smallest mean loss over five folds. */
export function fitLassoCv(rows: readonly LassoRow[]): number[] {
  // GroupKFold with groups of equal size: the last row is in fold 0, the one before in fold 1, …
  const foldOf = (i: number) => (rows.length - 1 - i) % FOLDS;
  const losses = PENALTIES.map(() => 0);
  for (let fold = 0; fold < FOLDS; fold++) {
    const train = rows.filter((_, i) => foldOf(i) !== fold), test = rows.filter((_, i) => foldOf(i) === fold);
    for (const [k, penalty] of PENALTIES.entries()) losses[k]! += meanLoss(fitLasso(train, penalty), test);
  }
  let best = 0;
  for (let k = 1; k < losses.length; k++) if (losses[k]! < losses[best]!) best = k;
  return fitLasso(rows, PENALTIES[best]!);
}

/**
 * Minimises Σ |w| + C Σ weight · cross-entropy(label, logistic(w·x)) by proximal Newton steps with coordinate descent and a line
 * search, to a relative change of 1e-10 (liblinear stops at 1e-4, so its weights differ in the fourth digit).
 */
function fitLasso(rows: readonly LassoRow[], inversePenalty: number): number[] {
  const size = rows[0]?.features.length ?? 0;
  let weights = new Array<number>(size).fill(0), value = objective(rows, weights, inversePenalty);
  for (let step = 0; step < MAX_STEPS; step++) {
    const direction = newtonDirection(rows, weights, inversePenalty);
    let scale = 1, next = weights, found = value;
    for (; scale > 1e-12; scale /= 2) {
      next = weights.map((weight, j) => weight + scale * direction[j]!);
      found = objective(rows, next, inversePenalty);
      if (found <= value) break;
    }
    const gain = value - found;
    if (!(gain > TOLERANCE * Math.max(1, Math.abs(value)))) return found < value ? next : weights;
    [weights, value] = [next, found];
  }
  return weights;
}

/** Returns the step that minimises the quadratic model of the loss plus the penalty. */
function newtonDirection(rows: readonly LassoRow[], weights: readonly number[], c: number): number[] {
  const size = weights.length, gradient = new Array<number>(size).fill(0);
  const hessian = Array.from({ length: size }, () => new Array<number>(size).fill(0));
  for (const { features, label, weight } of rows) {
    const p = logistic(dot(features, weights)), curvature = c * weight * p * (1 - p);
    for (let j = 0; j < size; j++) {
      gradient[j]! += c * weight * (p - label) * features[j]!;
      for (let k = 0; k < size; k++) hessian[j]![k]! += curvature * features[j]! * features[k]!;
    }
  }
  const step = new Array<number>(size).fill(0);
  for (let sweep = 0; sweep < 1000; sweep++) {
    let largest = 0;
    for (let j = 0; j < size; j++) {
      const h = hessian[j]![j]! + 1e-12;
      let g = gradient[j]!;
      for (let k = 0; k < size; k++) g += hessian[j]![k]! * step[k]!;
      const at = weights[j]! + step[j]!, moved = at - g / h;
      const target = Math.sign(moved) * Math.max(0, Math.abs(moved) - 1 / h);
      largest = Math.max(largest, Math.abs(target - at));
      step[j]! += target - at;
    }
    if (largest < 1e-13) break;
  }
  return step;
}

function objective(rows: readonly LassoRow[], weights: readonly number[], c: number): number {
  let sum = weights.reduce((total, weight) => total + Math.abs(weight), 0);
  for (const { features, label, weight } of rows) {
    const z = dot(features, weights);
    sum += c * weight * (label * softplus(-z) + (1 - label) * softplus(z));
  }
  return sum;
}

/** The weighted log loss that alpaca-eval scores folds with, averaged over rows. */
function meanLoss(weights: readonly number[], rows: readonly LassoRow[]): number {
  let sum = 0;
  for (const { features, label, weight } of rows) {
    const p = Math.min(1 - 1e-15, Math.max(1e-15, logistic(dot(features, weights))));
    sum -= weight * (label * Math.log(p) + (1 - label) * Math.log(1 - p));
  }
  return sum / rows.length;
}

/** Returns 1/(1 + e^−z). */
export function logistic(z: number): number {
  return z >= 0 ? 1 / (1 + Math.exp(-z)) : Math.exp(z) / (1 + Math.exp(z));
}

function softplus(z: number): number {
  return z > 0 ? z + Math.log1p(Math.exp(-z)) : Math.log1p(Math.exp(z));
}

function dot(a: readonly number[], b: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
