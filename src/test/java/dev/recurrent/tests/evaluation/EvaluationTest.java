package dev.recurrent.tests.evaluation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.catalog.Tasks;
import dev.recurrent.evaluation.report.EvaluationReport;
import dev.recurrent.evaluation.report.ModelResult;
import dev.recurrent.evaluation.run.Evaluation;
import dev.recurrent.evaluation.run.EvaluationListener;
import dev.recurrent.evaluation.task.Task;
import dev.recurrent.evaluation.task.TaskOptions;
import dev.recurrent.zoo.ModelReference;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Evaluation from Java, as docs/evaluation.md shows it. */
class EvaluationTest {

    @Test
    void measuresModelsByTasks() throws Exception {
        TaskOptions options = TaskOptions.DEFAULT.withLength(64).withLimit(20);
        Evaluation evaluation = new Evaluation(Device.cpu(), 8, 0);
        for (String model : List.of("hawk:recall-bytes", "mamba2:recall-bytes")) {
            evaluation.add(ModelReference.of(model), Tasks.create("mqar", options), 64);
        }
        List<ModelResult> results = evaluation.run(EvaluationListener.NONE);
        assertThat(results)
                .extracting(ModelResult::model)
                .containsExactly("hawk:recall-bytes", "mamba2:recall-bytes");
        double hawk = results.get(0).measured().estimates().get(0).value();
        double mamba = results.get(1).measured().estimates().get(0).value();
        assertThat(hawk).isLessThan(mamba);
        assertThat(new EvaluationReport(results, Map.of()).toTable())
                .contains("hawk:recall-bytes", "mqar", "acc");
    }

    @Test
    void refusesAModelThatATaskCannotAsk() throws Exception {
        Task task = Tasks.create("mqar", TaskOptions.DEFAULT.withLength(256));
        Evaluation evaluation = new Evaluation(Device.cpu(), 1, 0);
        assertThatThrownBy(() -> evaluation.add(ModelReference.of("hawk:synthetic"), task, 256))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("hawk:synthetic");
    }
}
