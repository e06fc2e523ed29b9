/**
 * What a training run leaves to be read: a line of progress, a file of figures (one JSON object a
 * line) and pictures of them (SVG).
 */
package dev.recurrent.training.report;
