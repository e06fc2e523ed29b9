package dev.recurrent.zoo.naming;

import ai.djl.ndarray.types.Shape;
import java.util.List;
import java.util.Map;

/**
 * A tensor of an upstream checkpoint: rows of our parameters, one part after the other.
 *
 * @param name its name upstream
 * @param parts what its rows are
 */
public record UpstreamTensor(String name, List<Part> parts) {

    /** Copies the list. */
    public UpstreamTensor {
        parts = List.copyOf(parts);
    }

    /** A tensor that is one whole parameter. */
    static UpstreamTensor of(String name, String parameter) {
        return new UpstreamTensor(name, List.of(Part.of(parameter)));
    }

    /**
     * Consecutive rows of one of our parameters; the trailing dimensions are the parameter's.
     *
     * @param parameter its path
     * @param firstRow where the rows start
     * @param rows how many; {@link #ALL} for the whole parameter
     */
    public record Part(String parameter, long firstRow, long rows) {

        /** As many rows as the parameter has. */
        public static final long ALL = -1;

        static Part of(String parameter) {
            return new Part(parameter, 0, ALL);
        }

        /** Returns the number of rows, given the parameter's shape. */
        public long rows(Shape parameterShape) {
            return rows == ALL ? parameterShape.get(0) : rows;
        }
    }

    /**
     * Returns the shape that the tensor has in a checkpoint.
     *
     * @param parameters the shapes of our parameters by path
     * @return its shape
     */
    public Shape shape(Map<String, Shape> parameters) {
        Shape first = parameters.get(parts.get(0).parameter());
        long rows =
                parts.stream().mapToLong(part -> part.rows(parameters.get(part.parameter()))).sum();
        return new Shape(rows).addAll(first.slice(1));
    }
}
