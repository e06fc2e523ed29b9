/**
 * Pictures of figures, as SVG, for training and evaluation alike: {@link
 * dev.recurrent.training.plot.LinePlot} for lines and points on linear or logarithmic axes, {@link
 * dev.recurrent.training.plot.HeatMap} for a number over a grid. The same figures give the same
 * text; colours can be told apart by all eyes.
 */
package dev.recurrent.training.plot;
