package dev.recurrent.evaluation.bench;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.GradientCollector;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.MatrixPrecision;
import dev.recurrent.blocks.torch.Torch;
import dev.recurrent.training.LanguageModelTrainer;
import dev.recurrent.training.LanguageModelTrainingConfig;
import dev.recurrent.training.metric.TokenCrossEntropy;
import dev.recurrent.training.optimizer.AdamW;
import java.util.Locale;

/**
 * A whole training step: forward and backward pass, clipping and AdamW.
 *
 * @param precision the type in which projections multiply
 * @param recomputing whether layers are run again in the backward pass
 */
public record TrainingBench(MatrixPrecision precision, boolean recomputing) {

    private static final int LENGTH = 256;

    /**
     * Times the first step and those after it.
     *
     * @param bench takes the results
     * @param name of the model
     * @param block with its weights; they are trained on random tokens
     * @param shape B and T where the user chose them
     */
    public void run(Bench bench, String name, LanguageModel block, BenchShape shape) {
        int batch = shape.batchOr(1);
        int length = shape.lengthOr(LENGTH);
        Device device = bench.manager().getDevice();
        try (Model model = Model.newInstance(name, device, "PyTorch")) {
            model.setBlock(block);
            LanguageModelTrainingConfig config =
                    new LanguageModelTrainingConfig(new TokenCrossEntropy())
                            .optMaxGradientNorm(1)
                            .optPrecision(precision)
                            .optRecomputation(recomputing);
            config.optDevices(new Device[] {device});
            config.optOptimizer(AdamW.builder(block).build());
            long[] ids = Randoms.ids(batch * (length + 1), block.config().vocabulary());
            try (LanguageModelTrainer trainer = new LanguageModelTrainer(model, config)) {
                String work = name + " B " + batch + " T " + length;
                long tokens = (long) batch * length;
                Workload step =
                        scope -> step(trainer, scope.create(ids, new Shape(batch, length + 1)));
                bench.once(work, form("first step"), tokens, step);
                bench.timeAsIs(work, form("training step"), tokens, step);
            }
        }
    }

    private String form(String what) {
        return what
                + ", "
                + precision.name().toLowerCase(Locale.ROOT)
                + (recomputing ? ", recomputed" : "");
    }

    /** Returns a weight, which exists when the step is done. */
    private static NDArray step(LanguageModelTrainer trainer, NDArray rows) {
        NDManager scope = rows.getManager();
        long length = rows.getShape().get(1) - 1;
        try (GradientCollector collector = trainer.newGradientCollector()) {
            NDArray ids = Aten.contiguous(Aten.narrow(rows, 1, 0, length));
            NDArray targets = Aten.contiguous(Aten.narrow(rows, 1, 1, length));
            NDList predictions = trainer.forward(new NDList(ids));
            collector.backward(trainer.getLoss().evaluate(new NDList(targets), predictions));
        }
        trainer.step();
        NDArray weight = trainer.getTrainedParameters().values().iterator().next().getArray();
        return Torch.detach(scope, weight);
    }
}
