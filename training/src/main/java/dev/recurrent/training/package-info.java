/**
 * Training of language models with DJL: a {@link dev.recurrent.training.LanguageModelTrainer} that
 * stands wherever a DJL Trainer does, its configuration, and what it reports.
 */
package dev.recurrent.training;
