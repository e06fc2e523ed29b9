package dev.recurrent.training.plot;

import dev.recurrent.training.plot.Series.Point;
import dev.recurrent.training.plot.Series.Stroke;
import java.util.List;

/** Draws the lines of a plot, cut at the edges of its area. */
final class Lines {

    private static final String CLIP = "area";

    private Lines() {}

    static void draw(Svg svg, PlotArea area, List<Series> series) {
        svg.open("clipPath", "id", CLIP);
        svg.element(
                "rect",
                "x",
                area.left(),
                "y",
                area.top(),
                "width",
                area.right() - area.left(),
                "height",
                area.bottom() - area.top());
        svg.close("clipPath");
        svg.open("g", "clip-path", "url(#" + CLIP + ")", "stroke-linejoin", "round");
        for (Series line : series) {
            // A logarithmic axis has no place for what is not above 0: a gap in pixels alone.
            List<Point> pixels = line.points().stream().map(area::pixel).toList();
            for (List<Point> part : Polyline.parts(pixels)) {
                drawPart(svg, line, Polyline.thin(part));
            }
        }
        svg.close("g");
    }

    private static void drawPart(Svg svg, Series line, List<Point> pixels) {
        Stroke stroke = line.stroke();
        if (pixels.size() == 1) {
            Point only = pixels.get(0);
            svg.element(
                    "circle",
                    "cx",
                    only.x(),
                    "cy",
                    only.y(),
                    "r",
                    1.5 * stroke.width(),
                    "fill",
                    line.color(),
                    "fill-opacity",
                    stroke.opacity());
            return;
        }
        svg.element(
                "path",
                "d",
                Polyline.path(pixels),
                "fill",
                "none",
                "stroke",
                line.color(),
                "stroke-width",
                stroke.width(),
                "stroke-opacity",
                stroke.opacity(),
                "stroke-dasharray",
                stroke.dashes());
    }
}
