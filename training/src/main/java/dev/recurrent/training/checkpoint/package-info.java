/**
 * Checkpoints of a run: folders that are there whole or not at all, found again by the newest whose
 * files are what they were when it was saved.
 */
package dev.recurrent.training.checkpoint;
