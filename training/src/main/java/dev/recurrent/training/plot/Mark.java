package dev.recurrent.training.plot;

/**
 * A point of a plot that stands out.
 *
 * @param point where
 * @param color any SVG colour
 * @param filled a disc rather than a ring
 * @param label beside it; null for none
 */
public record Mark(Series.Point point, String color, boolean filled, String label) {}
