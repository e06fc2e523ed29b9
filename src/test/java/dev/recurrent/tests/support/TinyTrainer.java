package dev.recurrent.tests.support;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.GradientCollector;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.blocks.nn.SizedBlock;
import dev.recurrent.training.LanguageModelTrainer;
import dev.recurrent.training.LanguageModelTrainingConfig;
import dev.recurrent.training.metric.TokenCrossEntropy;
import dev.recurrent.training.optimizer.AdamW;
import dev.recurrent.training.optimizer.LearningRate;
import dev.recurrent.zoo.Pretrained;
import dev.recurrent.zoo.preset.Presets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import java.util.function.Consumer;

/** A small model of the zoo with a trainer, fed with rows of random tokens. */
public final class TinyTrainer implements AutoCloseable {

    /** The model. */
    public final LanguageModel block;

    /** Its trainer. */
    public final LanguageModelTrainer trainer;

    private final Pretrained pretrained;
    private final Model model;

    /** An entry's tiny model with new weights, on the CPU. */
    public TinyTrainer(String entry, Consumer<LanguageModelTrainingConfig> options)
            throws Exception {
        this(entry, Device.cpu(), options);
    }

    /** An entry's tiny model with new weights, the same on every device. */
    public TinyTrainer(String entry, Device device, Consumer<LanguageModelTrainingConfig> options)
            throws Exception {
        this(
                Pretrained.create(Presets.find(entry, "tiny").orElseThrow().config(), device, 1),
                options);
    }

    /** A model, which is closed with the trainer. */
    public TinyTrainer(Pretrained pretrained, Consumer<LanguageModelTrainingConfig> options) {
        this.pretrained = pretrained;
        block = pretrained.model();
        Device device = pretrained.manager().getDevice();
        model = Model.newInstance("tiny", device, "PyTorch");
        model.setBlock(block);
        LanguageModelTrainingConfig config =
                new LanguageModelTrainingConfig(new TokenCrossEntropy());
        config.optDevices(new Device[] {device});
        config.optOptimizer(
                AdamW.builder(block).optLearningRate(LearningRate.constant(1e-3f)).build());
        options.accept(config);
        trainer = new LanguageModelTrainer(model, config);
    }

    /** Forward and backward pass over rows that depend on the seed alone; returns the loss. */
    public float pass(long seed, int rows, int length) {
        return pass(seed, 0, rows, length);
    }

    /** The same over some of the rows. */
    public float pass(long seed, int first, int rows, int length) {
        try (NDManager manager = trainer.getManager().newSubManager();
                GradientCollector collector = trainer.newGradientCollector()) {
            NDArray ids = rows(manager, seed, first, rows, length + 1);
            NDList data = new NDList(ids.get(":, :-1"));
            NDList labels = new NDList(ids.get(":, 1:"));
            NDArray loss = trainer.getLoss().evaluate(labels, trainer.forward(data));
            collector.backward(loss);
            return loss.getFloat();
        }
    }

    /** The logits of one row, in a pass that is not for training. */
    public float[] logits(long seed) {
        try (NDManager manager = trainer.getManager().newSubManager()) {
            return trainer.evaluate(new NDList(rows(manager, seed, 0, 1, 9))).head().toFloatArray();
        }
    }

    /** Ids [rows, length] that depend on the seed alone, some of them left out at the start. */
    public NDArray rows(NDManager manager, long seed, int first, int rows, int length) {
        long[] ids =
                new Random(seed)
                        .longs(0, block.config().vocabulary())
                        .skip((long) first * length)
                        .limit((long) rows * length)
                        .toArray();
        return manager.create(ids, new Shape(rows, length));
    }

    /** A pass and an update. */
    public float step(long seed, int rows, int length) {
        float loss = pass(seed, rows, length);
        trainer.step();
        return loss;
    }

    /** Copies of all gradients. */
    public Map<String, float[]> gradients() {
        Map<String, float[]> gradients = new LinkedHashMap<>();
        trainer.getTrainedParameters()
                .forEach(
                        (name, parameter) -> {
                            try (NDArray gradient = parameter.getArray().getGradient()) {
                                gradients.put(name, gradient.toFloatArray());
                            }
                        });
        return gradients;
    }

    /** Copies of all weights. */
    public Map<String, float[]> weights() {
        Map<String, float[]> weights = new LinkedHashMap<>();
        SizedBlock.parametersOf(block)
                .forEach(
                        (name, parameter) ->
                                weights.put(name, parameter.getArray().toFloatArray()));
        return weights;
    }

    @Override
    public void close() {
        trainer.close();
        model.close();
        pretrained.close();
    }
}
