package dev.recurrent.training.plot;

/** What all pictures begin with: their size, font, ground and title. */
final class Frame {

    static final double WIDTH = 720;
    static final double LEFT = 64;
    static final double RIGHT = WIDTH - 24;

    /** Where the title ends. */
    static final double TITLE = 30;

    static final String INK = "#222222";

    private static final double TITLE_SIZE = 16;

    /** A bold letter's mean width, in parts of its size. */
    private static final double LETTER = 0.56;

    private Frame() {}

    /** Opens a picture; {@code svg} is to be closed. */
    static Svg open(String title, double height) {
        Svg svg = new Svg();
        svg.open(
                "svg",
                "xmlns",
                "http://www.w3.org/2000/svg",
                "viewBox",
                "0 0 " + Svg.number(WIDTH) + " " + Svg.number(height),
                "width",
                WIDTH,
                "height",
                height,
                "font-family",
                "Helvetica, Arial, sans-serif",
                "font-size",
                13.0);
        svg.text("title", title);
        svg.element("rect", "width", WIDTH, "height", height, "fill", "#FFFFFF");
        int letters = Math.max(1, title.codePointCount(0, title.length()));
        svg.text(
                "text",
                title,
                "x",
                LEFT,
                "y",
                TITLE - 4,
                "font-size",
                Math.min(TITLE_SIZE, (RIGHT - LEFT) / (LETTER * letters)),
                "font-weight",
                "bold",
                "fill",
                INK);
        return svg;
    }
}
