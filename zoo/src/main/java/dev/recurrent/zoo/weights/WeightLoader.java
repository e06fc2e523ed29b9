package dev.recurrent.zoo.weights;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.initializer.Initializer;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.blocks.nn.SizedBlock;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import dev.recurrent.zoo.checkpoint.Checkpoint;
import dev.recurrent.zoo.checkpoint.CheckpointException;
import dev.recurrent.zoo.checkpoint.TensorInfo;
import dev.recurrent.zoo.naming.NameMap;
import dev.recurrent.zoo.naming.UpstreamTensor;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Loads an upstream checkpoint into a model, all of it or nothing: names, shapes and types are
 * compared before anything is read, and everything is read before any parameter changes.
 */
public final class WeightLoader {

    private static final Set<ScalarType> FLOATING =
            Set.of(ScalarType.FLOAT16, ScalarType.BFLOAT16, ScalarType.FLOAT32, ScalarType.FLOAT64);

    private final NameMap names;
    private final Map<String, Parameter> parameters;

    /**
     * Constructs a loader.
     *
     * @param model the model, with parameter values or without
     * @param names what its weights are called in a checkpoint
     */
    public WeightLoader(LanguageModel model, NameMap names) {
        this.names = names;
        parameters = SizedBlock.parametersOf(model);
    }

    /**
     * Loads the parameters as fp32. Parameters that have values already are overwritten in place.
     *
     * @param checkpoint where the weights are
     * @param manager the manager that will own new tensors, on whose device they lie
     * @throws CheckpointException if names, shapes or types do not match: all of them are listed
     *     and no parameter is changed
     * @throws IOException if reading fails; no parameter is changed
     */
    public void load(Checkpoint checkpoint, NDManager manager)
            throws IOException, CheckpointException {
        Map<String, UpstreamTensor> tensors = compare(checkpoint);
        try (NDManager staging = manager.newSubManager()) {
            Map<String, NDArray> values = read(checkpoint, tensors, staging);
            values.forEach((name, value) -> assign(parameters.get(name), value, manager));
        }
    }

    /** Returns what to read, by the names in the file. */
    private Map<String, UpstreamTensor> compare(Checkpoint checkpoint) throws CheckpointException {
        Map<String, TensorInfo> infos = checkpoint.tensors();
        NameMap.Resolution resolution = names.resolve(infos.keySet());
        Map<String, Shape> shapes = new LinkedHashMap<>();
        parameters.forEach((name, parameter) -> shapes.put(name, parameter.getShape()));
        List<String> wrong = new ArrayList<>();
        resolution
                .tensors()
                .forEach(
                        (name, tensor) -> {
                            TensorInfo info = infos.get(name);
                            Shape wanted = tensor.shape(shapes);
                            if (!info.shape().equals(wanted)) {
                                wrong.add(name + " is " + info.shape() + ", not " + wanted);
                            } else if (!FLOATING.contains(info.type())) {
                                wrong.add(name + " is " + info.type() + ", not floating-point");
                            }
                        });
        List<String> problems = new ArrayList<>();
        describe(problems, "missing", resolution.missing());
        describe(problems, "unexpected", resolution.unexpected());
        describe(problems, "wrong", wrong);
        if (!problems.isEmpty()) {
            throw new CheckpointException(
                    checkpoint.path(),
                    null,
                    "the tensors are not those of the configuration: "
                            + String.join("; ", problems));
        }
        return resolution.tensors();
    }

    private static void describe(List<String> problems, String kind, List<String> names) {
        if (!names.isEmpty()) {
            problems.add(kind + " (" + names.size() + "): " + String.join(", ", names));
        }
    }

    private Map<String, NDArray> read(
            Checkpoint checkpoint, Map<String, UpstreamTensor> tensors, NDManager staging)
            throws IOException, CheckpointException {
        // Parameters without a name upstream, such as adapters, keep their values.
        Map<String, NDArray> values = new LinkedHashMap<>();
        for (Map.Entry<String, UpstreamTensor> entry : tensors.entrySet()) {
            long row = 0;
            for (UpstreamTensor.Part part : entry.getValue().parts()) {
                NDArray value =
                        values.computeIfAbsent(part.parameter(), name -> create(name, staging));
                long rows = part.rows(value.getShape());
                try (NDArray target = Aten.narrow(staging, value, 0, part.firstRow(), rows)) {
                    checkpoint.read(entry.getKey(), row, rows, target);
                }
                row += rows;
            }
        }
        return values;
    }

    private NDArray create(String parameter, NDManager staging) {
        Shape shape = parameters.get(parameter).getShape();
        return Torch.empty(staging, shape, ScalarType.FLOAT32, staging.getDevice());
    }

    private static void assign(Parameter parameter, NDArray value, NDManager manager) {
        if (parameter.isInitialized()) {
            try (NDArray values = Torch.detach(value.getManager(), parameter.getArray())) {
                Torch.copyInto(values, value);
            }
            return;
        }
        Initializer random = parameter.getInitializer();
        value.attach(manager);
        parameter.setInitializer((owner, shape, type) -> value);
        parameter.initialize(manager, DataType.FLOAT32);
        parameter.setInitializer(random);
    }
}
