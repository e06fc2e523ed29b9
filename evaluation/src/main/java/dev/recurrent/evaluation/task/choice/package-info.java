/**
 * Questions whose answers are continuations: one of several, or the last word of a text. What they
 * ask and how they are graded follows lm-evaluation-harness.
 */
package dev.recurrent.evaluation.task.choice;
