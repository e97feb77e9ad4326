#include "report.hh"

#ifdef WITH_LOG4CPP

#include <iostream>

#include <log4cpp/Category.hh>
#include <log4cpp/OstreamAppender.hh>
#include <log4cpp/PatternLayout.hh>

void report(const char* message) {
  // The category owns the appender, and the appender owns the layout.
  auto* layout = new log4cpp::PatternLayout();
  layout->setConversionPattern("log4cpp %p %m%n");
  auto* appender = new log4cpp::OstreamAppender("console", &std::cout);
  appender->setLayout(layout);
  log4cpp::Category& category = log4cpp::Category::getRoot();
  category.addAppender(appender);
  category.setPriority(log4cpp::Priority::INFO);
  category.info(message);
}

#else

void report(const char*) {}

#endif
