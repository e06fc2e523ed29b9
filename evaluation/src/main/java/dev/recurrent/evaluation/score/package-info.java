/** Likelihoods of texts under a language model, the one core under all tasks that need them. */
package dev.recurrent.evaluation.score;
