package dev.recurrent.tests.architecture;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static com.tngtech.archunit.library.GeneralCodingRules.ACCESS_STANDARD_STREAMS;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import org.junit.jupiter.api.Test;

class LayeringTest {

    private static final String ROOT = "dev.recurrent";

    private static final JavaClasses CLASSES =
            new ClassFileImporter()
                    .withImportOption(new ImportOption.DoNotIncludeTests())
                    .withImportOption(location -> !location.contains("/dev/recurrent/tests/"))
                    .importPackages(ROOT);

    @Test
    void everyModuleIsSeen() {
        for (String module : new String[] {"blocks", "zoo", "training", "evaluation"}) {
            assertThat(CLASSES.that(resideInAPackage(ROOT + "." + module + ".."))).isNotEmpty();
        }
    }

    @Test
    void modulesDependDownwardsOnly() {
        layeredArchitecture()
                .consideringOnlyDependenciesInLayers()
                .layer("evaluation")
                .definedBy(ROOT + ".evaluation..")
                .layer("training")
                .definedBy(ROOT + ".training..")
                .layer("zoo")
                .definedBy(ROOT + ".zoo..")
                .layer("blocks")
                .definedBy(ROOT + ".blocks..")
                .whereLayer("evaluation")
                .mayNotBeAccessedByAnyLayer()
                .whereLayer("training")
                .mayOnlyBeAccessedByLayers("evaluation")
                .whereLayer("zoo")
                .mayOnlyBeAccessedByLayers("evaluation", "training")
                .check(CLASSES);
    }

    @Test
    void packagesOfBlocksDependDownwardsOnly() {
        layeredArchitecture()
                .consideringOnlyDependenciesInLayers()
                .layer("blocks")
                .definedBy(ROOT + ".blocks")
                .layer("mixer")
                .definedBy(ROOT + ".blocks.mixer..")
                .layer("nn")
                .definedBy(ROOT + ".blocks.nn..")
                .layer("rule")
                .definedBy(ROOT + ".blocks.rule..")
                .layer("autograd")
                .definedBy(ROOT + ".blocks.autograd..")
                .layer("kernel")
                .definedBy(ROOT + ".blocks.kernel..")
                .layer("cuda")
                .definedBy(ROOT + ".blocks.cuda..")
                .layer("torch")
                .definedBy(ROOT + ".blocks.torch..")
                .whereLayer("blocks")
                .mayNotBeAccessedByAnyLayer()
                .whereLayer("mixer")
                .mayOnlyBeAccessedByLayers("blocks")
                .whereLayer("nn")
                .mayOnlyBeAccessedByLayers("blocks", "mixer")
                .whereLayer("rule")
                .mayOnlyBeAccessedByLayers("blocks", "mixer", "nn")
                .whereLayer("autograd")
                .mayOnlyBeAccessedByLayers("blocks", "mixer", "nn", "rule", "kernel", "cuda")
                .whereLayer("kernel")
                .mayOnlyBeAccessedByLayers("blocks", "mixer", "nn", "rule")
                .whereLayer("cuda")
                .mayOnlyBeAccessedByLayers("blocks", "mixer", "nn", "rule", "kernel")
                .whereLayer("torch")
                .mayOnlyBeAccessedByLayers(
                        "blocks", "mixer", "nn", "rule", "autograd", "cuda", "kernel")
                .check(CLASSES);
    }

    @Test
    void packagesOfTrainingDependDownwardsOnly() {
        String training = ROOT + ".training";
        noClasses()
                .that()
                .resideInAnyPackage(training + ".*")
                .and()
                .resideOutsideOfPackage(training + ".run")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(training, training + ".run")
                .check(CLASSES);
        noClasses()
                .that()
                .resideInAPackage(training)
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(
                        training + ".run",
                        training + ".data",
                        training + ".lora",
                        training + ".checkpoint",
                        training + ".report")
                .check(CLASSES);
    }

    @Test
    void packagesOfEvaluationDependDownwardsOnly() {
        String evaluation = ROOT + ".evaluation.";
        noClasses()
                .that()
                .resideOutsideOfPackage(evaluation + "cli")
                .should()
                .dependOnClassesThat()
                .resideInAPackage(evaluation + "cli")
                .check(CLASSES);
        noClasses()
                .that()
                .resideInAnyPackage(evaluation + "score", evaluation + "verify")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(
                        evaluation + "task", evaluation + "report", evaluation + "bench")
                .check(CLASSES);
    }

    @Test
    void sparkIsKnownToItsPackageOnly() {
        String spark = ROOT + ".evaluation.spark";
        noClasses()
                .that()
                .resideOutsideOfPackage(spark)
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(spark, "org.apache.spark..", "org.apache.hadoop..", "scala..")
                .check(CLASSES);
    }

    @Test
    void packagesHaveNoCycles() {
        slices().matching(ROOT + ".(**)").should().beFreeOfCycles().check(CLASSES);
    }

    @Test
    void rulesHoldNoParameters() {
        noClasses()
                .that()
                .resideInAnyPackage(
                        ROOT + ".blocks.rule..",
                        ROOT + ".blocks.kernel..",
                        ROOT + ".blocks.cuda..",
                        ROOT + ".blocks.torch..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("ai.djl.nn..", "ai.djl.training..")
                .check(CLASSES);
    }

    @Test
    void aUserOfTheBlocksNeedsNothingButDjl() {
        classes()
                .that()
                .resideInAPackage(ROOT + ".blocks..")
                .should()
                .onlyDependOnClassesThat(
                        resideInAnyPackage(
                                "java..",
                                "ai.djl",
                                "ai.djl.engine..",
                                "ai.djl.inference.streaming..",
                                "ai.djl.ndarray..",
                                "ai.djl.nn..",
                                "ai.djl.training..",
                                "ai.djl.util..",
                                "ai.djl.pytorch..",
                                "com.sun.jna..",
                                "org.slf4j..",
                                ROOT + ".blocks.."))
                .check(CLASSES);
    }

    @Test
    void libraryCodeLogsThroughSlf4jAndPrintsNothing() {
        noClasses()
                .should()
                .dependOnClassesThat()
                .resideInAPackage("java.util.logging..")
                .check(CLASSES);
        noClasses()
                .that()
                .resideOutsideOfPackage(ROOT + ".evaluation.cli..")
                .should(ACCESS_STANDARD_STREAMS)
                .check(CLASSES);
    }
}
