/** Comparison of a model with what another implementation computed from the same weights. */
package dev.recurrent.evaluation.verify;
