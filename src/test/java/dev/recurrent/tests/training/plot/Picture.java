package dev.recurrent.tests.training.plot;

import java.io.StringReader;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Predicate;
import javax.xml.parsers.DocumentBuilderFactory;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;
import org.xml.sax.InputSource;

/** An SVG document, parsed as XML, and its coordinates back in the units of its axes. */
public final class Picture {

    private final Document document;

    private Picture(Document document) {
        this.document = document;
    }

    public static Picture parse(String svg) {
        try {
            return new Picture(
                    DocumentBuilderFactory.newInstance()
                            .newDocumentBuilder()
                            .parse(new InputSource(new StringReader(svg))));
        } catch (Exception e) {
            throw new AssertionError("Not well-formed: " + svg, e);
        }
    }

    public List<Element> elements(String name) {
        NodeList nodes = document.getElementsByTagName(name);
        List<Element> elements = new ArrayList<>();
        for (int i = 0; i < nodes.getLength(); i++) {
            elements.add((Element) nodes.item(i));
        }
        return elements;
    }

    public List<String> texts() {
        return elements("text").stream().map(Element::getTextContent).toList();
    }

    /** The labels of ticks, across or up, in their order. */
    public List<String> ticks(boolean across) {
        return tickElements(across).stream().map(Element::getTextContent).toList();
    }

    private List<Element> tickElements(boolean across) {
        String anchor = across ? "middle" : "end";
        Predicate<Element> tick =
                text -> ((Element) text.getParentNode()).getAttribute("text-anchor").equals(anchor);
        return elements("text").stream().filter(tick).toList();
    }

    /** The value at a pixel, by the first and last tick. */
    public double value(boolean across, double pixel) {
        List<Element> ticks = tickElements(across);
        Element first = ticks.get(0);
        Element last = ticks.get(ticks.size() - 1);
        // A label up stands four pixels below its tick.
        String name = across ? "x" : "y";
        double shift = across ? 0 : 4;
        double start = number(first, name) - shift;
        double end = number(last, name) - shift;
        double low = Double.parseDouble(first.getTextContent().replace(",", ""));
        double high = Double.parseDouble(last.getTextContent().replace(",", ""));
        return low + (pixel - start) / (end - start) * (high - low);
    }

    /** The points of a path, in the units of the axes. */
    public List<double[]> points(Element path) {
        return Arrays.stream(path.getAttribute("d").substring(1).split("L"))
                .map(pair -> pair.split(" "))
                .map(
                        pair ->
                                new double[] {
                                    value(true, Double.parseDouble(pair[0])),
                                    value(false, Double.parseDouble(pair[1]))
                                })
                .toList();
    }

    /** The middle of a circle, in the units of the axes. */
    public double[] middle(Element circle) {
        return new double[] {value(true, number(circle, "cx")), value(false, number(circle, "cy"))};
    }

    public static double number(Element element, String attribute) {
        return Double.parseDouble(element.getAttribute(attribute));
    }
}
